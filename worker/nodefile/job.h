#pragma once

#include "schema/worker/nodefile.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::nodefile {

// The largest file that is handed on, and how many of them at most.
inline constexpr off_t kMaxFileBytes = 1 << 20;
inline constexpr size_t kMaxFiles = 60;

// From now on this process can change no file: root's own files are root's to write otherwise.
absl::Status ConfineToReading();

// Opens what the job names (schema/worker/nodefile.capnp). Reads nothing of it.
worker::JobResult RunNodefileJob(schema::NodefileJob::Reader job,
                                 schema::NodefileResult::Builder result);

}  // namespace bulkhead::nodefile
