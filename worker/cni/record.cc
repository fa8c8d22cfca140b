#include "worker/cni/record.h"

#include "base/status.h"

namespace bulkhead::cni {

absl::StatusOr<std::string> EncodeRecord(const Record& record) {
  const Json json = {{"config", record.config.document},
                     {"attempted", record.attempted},
                     {"runtimeConfig", record.runtime_config},
                     {"result", record.result}};
  std::string bytes = ToText(json);
  if (bytes.size() <= kMaxRecordBytes) return bytes;
  return absl::ResourceExhaustedError("network record: over 256 KiB");
}

absl::StatusOr<Record> DecodeRecord(absl::string_view bytes) {
  if (bytes.size() > kMaxRecordBytes) return absl::InvalidArgumentError("record: too long");
  BULKHEAD_ASSIGN_OR_RETURN(const Json json, worker::ParseStrictJson(bytes));
  const Json* config = worker::Member(json, "config");
  const Json* attempted = worker::Member(json, "attempted");
  const Json* runtime_config = worker::Member(json, "runtimeConfig");
  const Json* result = worker::Member(json, "result");
  const auto* count =
      attempted == nullptr ? nullptr : attempted->get_ptr<const Json::number_unsigned_t*>();
  if (config == nullptr || count == nullptr || runtime_config == nullptr) {
    return absl::InvalidArgumentError("record: incomplete");
  }
  Record record;
  BULKHEAD_ASSIGN_OR_RETURN(record.config, ConfigFromDocument(*config));
  if (*count > record.config.plugins.size()) return absl::InvalidArgumentError("record: attempted");
  record.attempted = *count;
  record.runtime_config = *runtime_config;
  if (result != nullptr) record.result = *result;
  return record;
}

}  // namespace bulkhead::cni
