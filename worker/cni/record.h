#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/cni/config.h"

namespace bulkhead::cni {

inline constexpr size_t kMaxRecordBytes = 256 << 10;

// All that DEL needs, so that it can be done when the configuration has changed or gone.
struct Record {
  NetworkConfig config;
  size_t attempted = 0;  // how many plugins of the chain may have left something
  Json runtime_config;
  Json result;  // null where no plugin succeeded
};

// RESOURCE_EXHAUSTED: it would be over kMaxRecordBytes.
absl::StatusOr<std::string> EncodeRecord(const Record& record);
// INVALID_ARGUMENT: not what EncodeRecord returned.
absl::StatusOr<Record> DecodeRecord(absl::string_view bytes);

}  // namespace bulkhead::cni
