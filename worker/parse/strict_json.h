#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

using Json = nlohmann::json;

inline constexpr size_t kMaxDocumentBytes = 4 << 20;
inline constexpr size_t kMaxJsonDepth = 32;
inline constexpr size_t kMaxJsonValues = 200000;

// Parses a whole document of an image. Stricter than JSON is, because two readers must never
// understand one document differently (V2). INVALID_ARGUMENT: malformed, duplicate keys, a byte
// order mark, NUL in a string, trailing data, no object or array at the top; RESOURCE_EXHAUSTED:
// over a limit above.
absl::StatusOr<Json> ParseStrictJson(absl::string_view document);

// The member of an object, or nullptr where it is missing or null, or where object is no object.
const Json* Member(const Json& object, const char* key);
// The same, but INVALID_ARGUMENT where it is there with another type. Missing is an empty string,
// an empty array.
absl::StatusOr<std::string> StringMember(const Json& object, const char* key);
absl::StatusOr<const Json::array_t*> ArrayMember(const Json& object, const char* key);
absl::StatusOr<const Json::object_t*> ObjectMember(const Json& object, const char* key);

}  // namespace bulkhead::worker
