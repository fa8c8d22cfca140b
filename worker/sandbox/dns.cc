#include "worker/sandbox/dns.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::sandbox {
namespace {

using Words = capnp::List<capnp::Text>::Reader;

constexpr size_t kMaxWords = 32;
constexpr size_t kMaxWordBytes = 255;

absl::Status CheckWord(absl::string_view field, absl::string_view word) {
  const bool good = !word.empty() && word.size() <= kMaxWordBytes &&
                    std::all_of(word.begin(), word.end(), [](char c) {
                      return absl::ascii_isalnum(c) || absl::StrContains(".:-_", c);
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": not a word of a resolv.conf"));
}

absl::Status CheckServer(absl::string_view field, absl::string_view server) {
  const size_t percent = server.find('%');  // an interface: "fe80::1%eth0"
  if (percent != absl::string_view::npos) {
    BULKHEAD_RETURN_IF_ERROR(CheckWord(field, server.substr(percent + 1)));
  }
  const std::string address(server.substr(0, percent));
  char parsed[sizeof(in6_addr)];
  if (inet_pton(AF_INET, address.c_str(), parsed) == 1) return absl::OkStatus();
  if (inet_pton(AF_INET6, address.c_str(), parsed) == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": not an address"));
}

template <typename Check>
absl::Status CheckEach(absl::string_view field, Words words, Check check) {
  if (words.size() > kMaxWords) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": more than ", kMaxWords));
  }
  for (const auto word : words) {
    BULKHEAD_RETURN_IF_ERROR(check(field, absl::string_view(word.begin(), word.size())));
  }
  return absl::OkStatus();
}

void AppendLine(absl::string_view key, Words words, std::string* text) {
  if (words.size() == 0) return;
  absl::StrAppend(text, key);
  for (const auto word : words) absl::StrAppend(text, " ", word.cStr());
  absl::StrAppend(text, "\n");
}

}  // namespace

bool HasDns(schema::SandboxJob::Make::Reader make) {
  return make.getDnsServers().size() + make.getDnsSearches().size() + make.getDnsOptions().size() >
         0;
}

absl::StatusOr<std::string> ComposeResolvConf(schema::SandboxJob::Make::Reader make) {
  BULKHEAD_RETURN_IF_ERROR(
      CheckEach("config.dns_config.servers", make.getDnsServers(), CheckServer));
  BULKHEAD_RETURN_IF_ERROR(
      CheckEach("config.dns_config.searches", make.getDnsSearches(), CheckWord));
  BULKHEAD_RETURN_IF_ERROR(CheckEach("config.dns_config.options", make.getDnsOptions(), CheckWord));
  std::string text;
  AppendLine("search", make.getDnsSearches(), &text);
  for (const auto server : make.getDnsServers()) {
    absl::StrAppend(&text, "nameserver ", server.cStr(), "\n");
  }
  AppendLine("options", make.getDnsOptions(), &text);
  return text;
}

}  // namespace bulkhead::sandbox
