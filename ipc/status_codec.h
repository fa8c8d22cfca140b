#pragma once

#include "absl/status/status.h"
#include "schema/common.capnp.h"

namespace bulkhead::ipc {

// The only two places where a status changes its form between code and wire.
void WriteStatus(const absl::Status& status, schema::Status::Builder out);
// An unknown code is UNKNOWN. Messages over 4 KiB are cut.
absl::Status ReadStatus(schema::Status::Reader in);

}  // namespace bulkhead::ipc
