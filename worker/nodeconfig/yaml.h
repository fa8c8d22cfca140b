#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::worker {

// Reads one YAML document into the form that JSON has. Plain scalars become numbers, booleans and
// null where YAML 1.2's core schema says so. INVALID_ARGUMENT: malformed, more than one document,
// aliases and merge keys (one small file could mean a huge document), tags, duplicate keys;
// RESOURCE_EXHAUSTED: as strict_json.h.
absl::StatusOr<Json> ParseYaml(absl::string_view document);

}  // namespace bulkhead::worker
