#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/parse/strict_json.h"

// What plugins print: third-party text, of which nothing is believed.
namespace bulkhead::cni {

using worker::Json;

inline constexpr size_t kMaxResultBytes = 64 << 10;
inline constexpr size_t kMaxAddresses = 16;

// The result of ADD, in the form of version, which is the configuration's, whatever supported
// version the plugin answered in. INTERNAL: not a result.
absl::StatusOr<Json> ParseResult(absl::string_view text, absl::string_view version);

// The pod's addresses in a result of ParseResult, without prefix lengths, in the kernel's spelling,
// in its order; none of interfaces outside the pod. INTERNAL: one is no address of a host, or there
// are more than kMaxAddresses.
absl::StatusOr<std::vector<std::string>> PodAddresses(const Json& result);

// What a plugin that ended with another exit code than 0 says about it. UNAVAILABLE: try again
// later; FAILED_PRECONDITION: it does not like its configuration; else INTERNAL.
absl::Status ParseError(absl::string_view text, int exit_code);

// Whether what a plugin says to VERSION has this version in it. FAILED_PRECONDITION: it has not;
// INTERNAL: it is no answer to VERSION.
absl::Status CheckSpeaks(absl::string_view text, absl::string_view version);

}  // namespace bulkhead::cni
