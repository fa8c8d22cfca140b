#include "broker/streaming/tokens.h"

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/log.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kTokenBytes = 32;
constexpr size_t kNameBytes = kTokenBytes / 2;
// Misses are reported one by one at first, then by the hundred.
constexpr uint64_t kReportAll = 10;
constexpr uint64_t kReportEvery = 100;

bool EqualInConstantTime(absl::string_view a, absl::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

size_t BytesOf(const StreamGrant& grant) {
  return grant.job == nullptr ? 0 : grant.job->sizeInWords() * sizeof(capnp::word);
}

}  // namespace

absl::StatusOr<std::string> Tokens::Issue(StreamGrant grant) {
  DropOld();
  const size_t bytes = BytesOf(grant);
  if (entries_.size() >= kMost || bytes_ + bytes > kMostBytes) {
    return absl::ResourceExhaustedError("too many streams were asked for and not begun");
  }
  std::string hex = base::NewId();
  const std::string token = base::FromHex(hex);
  entries_.emplace(token.substr(0, kNameBytes), Entry{token.substr(kNameBytes), std::move(grant),
                                                      bytes, base::Deadline::After(life_)});
  bytes_ += bytes;
  return hex;
}

absl::StatusOr<StreamGrant> Tokens::Redeem(schema::StreamVerb verb, const std::string& token) {
  DropOld();
  if (token.size() != kTokenBytes) return Miss();
  const auto entry = entries_.find(token.substr(0, kNameBytes));
  if (entry == entries_.end()) return Miss();
  if (!EqualInConstantTime(entry->second.secret, token.substr(kNameBytes))) return Miss();
  // Used up by whoever has it, also for what it is not good for.
  StreamGrant grant = std::move(entry->second.grant);
  Erase(entry);
  if (grant.verb != verb) return Miss();
  return grant;
}

void Tokens::Erase(Entries::iterator entry) {
  bytes_ -= entry->second.bytes;
  entries_.erase(entry);
}

void Tokens::DropOld() {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->second.end.Passed()) Erase(entry);
    entry = next;
  }
}

absl::Status Tokens::Miss() {
  ++misses_;
  if (misses_ <= kReportAll || misses_ % kReportEvery == 0) {
    base::Log(base::Severity::kWarning, "a client came with no good token", {{"so far", misses_}});
  }
  return absl::NotFoundError("no such stream");
}

}  // namespace bulkhead::broker
