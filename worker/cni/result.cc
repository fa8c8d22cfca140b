#include "worker/cni/result.h"

#include <arpa/inet.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/cni/version.h"

namespace bulkhead::cni {
namespace {

using worker::ArrayMember;
using worker::Member;
using worker::StringMember;

constexpr size_t kMaxMessageBytes = 1024;
constexpr size_t kMaxAddressBytes = 64;
// Of CNI's well-known error codes.
constexpr int64_t kIncompatibleVersion = 1;
constexpr int64_t kUnsupportedField = 2;
constexpr int64_t kInvalidConfig = 7;
constexpr int64_t kTryAgainLater = 11;
// Of STATUS.
constexpr int64_t kPluginNotAvailable = 50;
constexpr int64_t kLimitedConnectivity = 51;

struct Address {
  std::string text;
  bool is_ipv6 = false;
};

absl::Status NoResult(absl::string_view why) {
  return absl::InternalError(absl::StrCat("its result is none: ", why));
}

bool IsHostAddress(const in_addr& address) {
  const uint32_t bits = ntohl(address.s_addr);
  return bits >> 24 != 0 && bits >> 24 != 127 && bits >> 28 < 0xe;
}

bool IsHostAddress(const in6_addr& address) {
  return !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_LOOPBACK(&address) &&
         !IN6_IS_ADDR_MULTICAST(&address) && !IN6_IS_ADDR_V4MAPPED(&address);
}

// "address/prefix length".
absl::StatusOr<Address> ParseAddress(const std::string& cidr) {
  const size_t slash = cidr.find('/');
  if (slash == std::string::npos || cidr.size() > kMaxAddressBytes) {
    return NoResult("not an address with prefix length");
  }
  const std::string text = cidr.substr(0, slash);
  uint32_t prefix = 0;
  in_addr v4;
  in6_addr v6;
  char canonical[INET6_ADDRSTRLEN];
  const bool is_v4 = inet_pton(AF_INET, text.c_str(), &v4) == 1;
  const bool is_v6 = inet_pton(AF_INET6, text.c_str(), &v6) == 1;
  if (!absl::SimpleAtoi(cidr.substr(slash + 1), &prefix) || prefix > (is_v4 ? 32 : 128)) {
    return NoResult("not a prefix length");
  }
  if (is_v4 && IsHostAddress(v4)) {
    return Address{inet_ntop(AF_INET, &v4, canonical, sizeof(canonical)), false};
  }
  if (is_v6 && IsHostAddress(v6)) {
    return Address{inet_ntop(AF_INET6, &v6, canonical, sizeof(canonical)), true};
  }
  return NoResult("not the address of a host");
}

absl::StatusOr<Address> AddressOf(const Json& ip) {
  if (!ip.is_object()) return NoResult("ips: not an object");
  absl::StatusOr<std::string> cidr = StringMember(ip, "address");
  if (!cidr.ok()) return NoResult("ips: address");
  return ParseAddress(*cidr);
}

// Of an interface of the host, as bridges have one, is "sandbox" missing or empty.
absl::StatusOr<bool> IsInPod(const Json& ip, const Json::array_t& interfaces) {
  const Json* member = Member(ip, "interface");
  if (member == nullptr) return true;
  const auto* index = member->get_ptr<const Json::number_unsigned_t*>();
  if (index == nullptr || *index >= interfaces.size()) return NoResult("ips: no such interface");
  absl::StatusOr<std::string> sandbox = StringMember(interfaces[*index], "sandbox");
  if (!sandbox.ok()) return NoResult("interfaces: sandbox");
  return !sandbox->empty();
}

absl::Status Convert(Json* result, absl::string_view version) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string answered, StringMember(*result, "cniVersion"));
  // Without one it is the configuration's.
  if (!answered.empty() && !IsSupportedVersion(answered)) return NoResult("cniVersion");
  (*result)["cniVersion"] = std::string(version);
  if (Member(*result, "ips") == nullptr) return absl::OkStatus();
  for (Json& ip : (*result)["ips"]) {
    BULKHEAD_ASSIGN_OR_RETURN(const Address address, AddressOf(ip));
    if (AddressesSayVersion(version)) {
      ip["version"] = address.is_ipv6 ? "6" : "4";
    } else {
      ip.erase("version");
    }
  }
  return absl::OkStatus();
}

// A plugin's words, as printable ASCII.
std::string ForPeople(absl::string_view text) {
  std::string printable;
  for (const char c : text.substr(0, kMaxMessageBytes)) {
    absl::StrAppend(&printable, absl::ascii_isprint(c) ? std::string(1, c)
                                                       : absl::CEscape(absl::string_view(&c, 1)));
  }
  return printable;
}

absl::StatusCode CodeFor(int64_t cni_code) {
  switch (cni_code) {
    case kIncompatibleVersion:
    case kUnsupportedField:
    case kInvalidConfig:
      return absl::StatusCode::kFailedPrecondition;
    case kTryAgainLater:
    case kPluginNotAvailable:
    case kLimitedConnectivity:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::StatusOr<Json> ParseResult(absl::string_view text, absl::string_view version) {
  if (text.size() > kMaxResultBytes) return NoResult("over 64 KiB");
  absl::StatusOr<Json> result = worker::ParseStrictJson(text);
  if (!result.ok()) return NoResult(result.status().message());
  if (!result->is_object()) return NoResult("not an object");
  for (const char* key : {"ips", "interfaces", "routes"}) {
    const absl::Status is_array = ArrayMember(*result, key).status();
    if (!is_array.ok()) return NoResult(is_array.message());
  }
  const absl::Status converted = Convert(&*result, version);
  if (!converted.ok()) return absl::InternalError(converted.message());
  return result;
}

absl::StatusOr<std::vector<std::string>> PodAddresses(const Json& result) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* ips, ArrayMember(result, "ips"));
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* interfaces, ArrayMember(result, "interfaces"));
  std::vector<std::string> addresses;
  for (const Json& ip : *ips) {
    BULKHEAD_ASSIGN_OR_RETURN(const Address address, AddressOf(ip));
    BULKHEAD_ASSIGN_OR_RETURN(const bool in_pod, IsInPod(ip, *interfaces));
    if (in_pod) addresses.push_back(address.text);
    if (addresses.size() > kMaxAddresses) return NoResult("too many addresses");
  }
  return addresses;
}

absl::Status ParseError(absl::string_view text, int exit_code) {
  absl::StatusOr<Json> error = text.size() <= kMaxResultBytes ? worker::ParseStrictJson(text)
                                                              : absl::ResourceExhaustedError("");
  const Json* code = error.ok() ? Member(*error, "code") : nullptr;
  const auto* number = code == nullptr ? nullptr : code->get_ptr<const Json::number_unsigned_t*>();
  if (number == nullptr) {
    return absl::InternalError(
        absl::StrCat("exit code ", exit_code, " without an error of CNI's form"));
  }
  const std::string message = StringMember(*error, "msg").value_or("");
  const std::string details = StringMember(*error, "details").value_or("");
  return absl::Status(CodeFor(static_cast<int64_t>(*number)),
                      absl::StrCat(ForPeople(message), details.empty() ? "" : "; ",
                                   ForPeople(details), " (code ", *number, ")"));
}

absl::Status CheckSpeaks(absl::string_view text, absl::string_view version) {
  if (text.size() > kMaxResultBytes) return NoResult("over 64 KiB");
  absl::StatusOr<Json> answer = worker::ParseStrictJson(text);
  if (!answer.ok() || !answer->is_object()) return NoResult("not an object");
  absl::StatusOr<const Json::array_t*> versions = ArrayMember(*answer, "supportedVersions");
  if (!versions.ok()) return NoResult("supportedVersions");
  for (const Json& entry : **versions) {
    const auto* known = entry.get_ptr<const Json::string_t*>();
    if (known != nullptr && *known == version) return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("it does not speak version ", version, " of CNI"));
}

}  // namespace bulkhead::cni
