#include "validate/network.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

constexpr char kIngress[] = "kubernetes.io/ingress-bandwidth";
constexpr char kEgress[] = "kubernetes.io/egress-bandwidth";
constexpr uint64_t kLeastRate = 1000;
constexpr uint64_t kMostRate = 1'000'000'000'000'000;
constexpr size_t kMaxIps = 16;
constexpr size_t kMaxQuantityBytes = 32;
constexpr size_t kMaxSubnets = 2;

struct Suffix {
  absl::string_view text;
  double factor;
};
constexpr Suffix kSuffixes[] = {
    {"n", 1e-9},
    {"u", 1e-6},
    {"m", 1e-3},
    {"k", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"P", 1e15},
    {"E", 1e18},
    {"Ki", 1024.0},
    {"Mi", 1048576.0},
    {"Gi", 1073741824.0},
    {"Ti", 1099511627776.0},
    {"Pi", 1125899906842624.0},
};

// The value of an annotation; empty where it is not there or has no name here.
absl::string_view Annotation(schema::PodConfig::Reader pod, absl::string_view key) {
  if (key.empty()) return "";
  for (const auto entry : pod.getAnnotations()) {
    if (View(entry.getKey()) == key) return View(entry.getValue());
  }
  return "";
}

std::string FieldOf(absl::string_view key) { return absl::StrCat("config.annotations[", key, "]"); }

absl::Status ReadRate(schema::PodConfig::Reader pod, absl::string_view key, uint64_t* rate) {
  const absl::string_view text = Annotation(pod, key);
  if (text.empty()) return absl::OkStatus();
  if (ParseQuantity(text, rate) && *rate >= kLeastRate && *rate <= kMostRate) {
    return absl::OkStatus();
  }
  return Refuse(FieldOf(key), "must be a quantity from 1k to 1P");
}

// An address, with a prefix length where it is wanted or allowed.
absl::Status CheckCidr(absl::string_view field, absl::string_view text, bool length_needed) {
  const size_t slash = text.find('/');
  if (slash == absl::string_view::npos) {
    if (length_needed) return Refuse(field, "not a subnet");
    return CheckAddress(field, text);
  }
  BULKHEAD_RETURN_IF_ERROR(CheckAddress(field, text.substr(0, slash)));
  uint32_t length = 0;
  const bool is_ipv6 = absl::StrContains(text, ':');
  if (!absl::SimpleAtoi(text.substr(slash + 1), &length) || length > (is_ipv6 ? 128 : 32)) {
    return Refuse(field, "not a prefix length");
  }
  return absl::OkStatus();
}

absl::Status ReadIps(schema::PodConfig::Reader pod, absl::string_view key,
                     std::vector<std::string>* ips) {
  const absl::string_view text = Annotation(pod, key);
  if (text.empty()) return absl::OkStatus();
  for (absl::string_view ip : absl::StrSplit(text, ',')) {
    ip = absl::StripAsciiWhitespace(ip);
    BULKHEAD_RETURN_IF_ERROR(CheckCidr(FieldOf(key), ip, /*length_needed=*/false));
    ips->emplace_back(ip);
  }
  return CheckCount(FieldOf(key), ips->size(), kMaxIps);
}

// Six bytes, of one interface.
absl::Status ReadMac(schema::PodConfig::Reader pod, absl::string_view key, std::string* mac) {
  const absl::string_view text = Annotation(pod, key);
  if (text.empty()) return absl::OkStatus();
  const std::vector<absl::string_view> bytes = absl::StrSplit(text, ':');
  bool good = bytes.size() == 6;
  for (absl::string_view byte : bytes) {
    good &= byte.size() == 2 && absl::ascii_isxdigit(byte[0]) && absl::ascii_isxdigit(byte[1]);
  }
  if (!good) return Refuse(FieldOf(key), "not a hardware address");
  uint32_t first = 0;
  if (!absl::SimpleHexAtoi(bytes[0], &first) || (first & 1) != 0) {
    return Refuse(FieldOf(key), "the address of a group");
  }
  *mac = absl::AsciiStrToLower(text);
  return absl::OkStatus();
}

}  // namespace

bool ParseQuantity(absl::string_view text, uint64_t* value) {
  if (text.empty() || text.size() > kMaxQuantityBytes) return false;
  // SimpleAtod takes words ("inf"), blanks and hexadecimal numbers as well.
  if (!absl::ascii_isdigit(text[0]) && text[0] != '.' && text[0] != '+') return false;
  double factor = 1;
  for (const Suffix& suffix : kSuffixes) {
    if (!absl::EndsWith(text, suffix.text)) continue;
    factor = suffix.factor;
    text.remove_suffix(suffix.text.size());
    break;
  }
  double number = 0;
  if (text.empty() || !(absl::ascii_isdigit(text.back()) || text.back() == '.')) return false;
  if (text.find_first_not_of("0123456789.+-eE") != absl::string_view::npos) return false;
  if (!absl::SimpleAtod(text, &number) || !(number >= 0)) return false;
  number = std::ceil(number * factor);
  if (number > 1e18) return false;
  *value = static_cast<uint64_t>(number);
  return true;
}

absl::StatusOr<NetworkWishes> ReadNetworkWishes(schema::PodConfig::Reader pod,
                                                schema::Config::Reader node) {
  NetworkWishes wishes;
  BULKHEAD_RETURN_IF_ERROR(ReadRate(pod, kIngress, &wishes.ingress_bits_per_second));
  BULKHEAD_RETURN_IF_ERROR(ReadRate(pod, kEgress, &wishes.egress_bits_per_second));
  BULKHEAD_RETURN_IF_ERROR(ReadIps(pod, View(node.getCniIpsAnnotation()), &wishes.ips));
  BULKHEAD_RETURN_IF_ERROR(ReadMac(pod, View(node.getCniMacAnnotation()), &wishes.mac));
  return wishes;
}

absl::StatusOr<std::vector<std::string>> ReadPodCidr(absl::string_view field,
                                                     absl::string_view text) {
  std::vector<std::string> subnets;
  if (text.empty()) return subnets;
  for (absl::string_view subnet : absl::StrSplit(text, ',')) {
    subnet = absl::StripAsciiWhitespace(subnet);
    BULKHEAD_RETURN_IF_ERROR(CheckCidr(field, subnet, /*length_needed=*/true));
    subnets.emplace_back(subnet);
  }
  BULKHEAD_RETURN_IF_ERROR(CheckCount(field, subnets.size(), kMaxSubnets));
  if (subnets.size() == 2 &&
      absl::StrContains(subnets[0], ':') == absl::StrContains(subnets[1], ':')) {
    return Refuse(field, "two subnets of one family");
  }
  return subnets;
}

}  // namespace bulkhead::validate
