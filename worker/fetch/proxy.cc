#include "worker/fetch/proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bulkhead::worker {
namespace {

// In network order; 4 or 16 bytes.
std::optional<std::string> ParseAddress(absl::string_view text) {
  unsigned char bytes[16];
  std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), bytes) == 1) {
    return std::string(reinterpret_cast<char*>(bytes), 4);
  }
  if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1) {
    return std::string(reinterpret_cast<char*>(bytes), 16);
  }
  return std::nullopt;
}

bool InRange(const std::string& address, absl::string_view range) {
  std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(range, absl::MaxSplits('/', 1));
  std::optional<std::string> base = ParseAddress(parts.first);
  uint32_t bits = 0;
  if (!base || base->size() != address.size()) return false;
  if (!absl::SimpleAtoi(parts.second, &bits) || bits > 8 * address.size()) return false;
  for (size_t i = 0; i < address.size() && bits > 0; ++i) {
    uint32_t here = std::min<uint32_t>(bits, 8);
    unsigned char mask = static_cast<unsigned char>(0xff << (8 - here));
    if (((address[i] ^ (*base)[i]) & mask) != 0) return false;
    bits -= here;
  }
  return true;
}

bool IsThisNode(const UrlParts& to) {
  if (to.host == "localhost" || absl::EndsWith(to.host, ".localhost")) return true;
  std::optional<std::string> address = ParseAddress(to.host);
  return address && (InRange(*address, "127.0.0.0/8") || InRange(*address, "::1/128"));
}

// Takes ":port" off the end. False: the entry speaks of another port.
bool TakePort(absl::string_view* entry, absl::string_view port) {
  if (ParseAddress(*entry)) return true;  // a bare IPv6 address is full of colons
  size_t colon = entry->rfind(':');
  if (colon == absl::string_view::npos || absl::EndsWith(*entry, "]")) return true;
  if (absl::StrContains(*entry, '/')) return true;
  if (entry->substr(colon + 1) != port) return false;
  *entry = entry->substr(0, colon);
  return true;
}

bool Matches(absl::string_view entry, const UrlParts& to) {
  if (entry == "*") return true;
  if (!TakePort(&entry, to.port)) return false;
  if (absl::ConsumePrefix(&entry, "[")) absl::ConsumeSuffix(&entry, "]");
  std::optional<std::string> address = ParseAddress(to.host);
  if (address && absl::StrContains(entry, '/')) return InRange(*address, entry);
  if (address) return ParseAddress(entry) == address;
  absl::ConsumePrefix(&entry, "*");
  if (entry.empty()) return false;
  if (entry.front() == '.') return absl::EndsWith(to.host, entry);
  return to.host == entry || absl::EndsWith(to.host, absl::StrCat(".", entry));
}

}  // namespace

std::string ProxyFor(const ProxyRules& rules, const UrlParts& to) {
  const std::string& proxy = to.scheme == "https" ? rules.https : rules.http;
  if (proxy.empty() || IsThisNode(to)) return "";
  for (absl::string_view entry : absl::StrSplit(rules.none, ',')) {
    std::string clean = absl::AsciiStrToLower(absl::StripAsciiWhitespace(entry));
    if (!clean.empty() && Matches(clean, to)) return "";
  }
  return proxy;
}

}  // namespace bulkhead::worker
