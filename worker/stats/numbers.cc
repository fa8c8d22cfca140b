#include "worker/stats/numbers.h"

#include <fcntl.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/unique_fd.h"

namespace bulkhead::stats {
namespace {

constexpr size_t kMaxBytes = 64 << 10;
// v1 says "no limit" with the largest multiple of its page size; no node has a quarter of it.
constexpr int64_t kNoLimit = int64_t{1} << 61;

int64_t ToNumber(absl::string_view text) {
  int64_t number = -1;
  if (!absl::SimpleAtoi(text, &number) || number < 0 || number >= kNoLimit) return -1;
  return number;
}

void ParseStall(absl::string_view fields, schema::Pressure::Stall::Builder out) {
  for (absl::string_view field : absl::StrSplit(fields, ' ', absl::SkipEmpty())) {
    double share = 0;
    uint64_t total = 0;
    if (absl::ConsumePrefix(&field, "total=")) {
      if (absl::SimpleAtoi(field, &total)) out.setTotalUs(total);
    } else if (absl::ConsumePrefix(&field, "avg10=")) {
      if (absl::SimpleAtod(field, &share)) out.setAvg10(share);
    } else if (absl::ConsumePrefix(&field, "avg60=")) {
      if (absl::SimpleAtod(field, &share)) out.setAvg60(share);
    } else if (absl::ConsumePrefix(&field, "avg300=")) {
      if (absl::SimpleAtod(field, &share)) out.setAvg300(share);
    }
  }
}

}  // namespace

std::string ReadText(int dirfd, const char* name) {
  base::UniqueFd fd(openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return "";
  return base::ReadAll(fd.get(), kMaxBytes).value_or("");
}

int64_t ReadNumber(int dirfd, const char* name) {
  return ToNumber(absl::StripAsciiWhitespace(ReadText(dirfd, name)));
}

std::map<std::string, int64_t, std::less<>> ReadTable(int dirfd, const char* name) {
  std::map<std::string, int64_t, std::less<>> table;
  const std::string text = ReadText(dirfd, name);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const size_t space = line.find(' ');
    if (space == absl::string_view::npos) continue;
    table.emplace(line.substr(0, space), ToNumber(line.substr(space + 1)));
  }
  return table;
}

int64_t Get(const std::map<std::string, int64_t, std::less<>>& table, absl::string_view name) {
  const auto found = table.find(name);
  return found == table.end() ? -1 : found->second;
}

void ReadPressure(int dirfd, const char* name, schema::Pressure::Builder out) {
  ParsePressure(ReadText(dirfd, name), out);
}

void ParsePressure(absl::string_view text, schema::Pressure::Builder out) {
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (absl::ConsumePrefix(&line, "some ")) {
      out.setKnown(true);
      ParseStall(line, out.initSome());
    } else if (absl::ConsumePrefix(&line, "full ")) {
      ParseStall(line, out.initFull());
    }
  }
}

}  // namespace bulkhead::stats
