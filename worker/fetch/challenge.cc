#include "worker/fetch/challenge.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kMaxChallenges = 16;

bool IsTokenByte(char c) {
  return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", c);
}

void SkipSpace(absl::string_view* text) { *text = absl::StripLeadingAsciiWhitespace(*text); }

void SkipSpaceAndCommas(absl::string_view* text) {
  do SkipSpace(text);
  while (absl::ConsumePrefix(text, ","));
}

std::string TakeToken(absl::string_view* text) {
  size_t end = 0;
  while (end < text->size() && IsTokenByte((*text)[end])) ++end;
  std::string token = absl::AsciiStrToLower(text->substr(0, end));
  text->remove_prefix(end);
  return token;
}

// A quoted string, which an open quote at the end ends as well, or all up to a comma.
std::string TakeValue(absl::string_view* text) {
  std::string value;
  if (!absl::ConsumePrefix(text, "\"")) {
    size_t end = std::min(text->find(','), text->size());
    value = std::string(absl::StripTrailingAsciiWhitespace(text->substr(0, end)));
    text->remove_prefix(end);
    return value;
  }
  while (!text->empty()) {
    char c = text->front();
    text->remove_prefix(1);
    if (c == '"') break;
    if (c == '\\' && !text->empty()) {
      c = text->front();
      text->remove_prefix(1);
    }
    value.push_back(c);
  }
  return value;
}

}  // namespace

std::vector<Challenge> ParseChallenges(absl::string_view header) {
  std::vector<Challenge> out;
  while (true) {
    SkipSpaceAndCommas(&header);
    std::string word = TakeToken(&header);
    if (word.empty()) return out;
    SkipSpace(&header);
    if (!absl::ConsumePrefix(&header, "=")) {
      if (out.size() == kMaxChallenges) return out;
      out.push_back({.scheme = std::move(word)});
      continue;
    }
    SkipSpace(&header);
    std::string value = TakeValue(&header);
    if (out.empty()) return out;
    if (word == "realm")
      out.back().realm = std::move(value);
    else if (word == "service")
      out.back().service = std::move(value);
  }
}

}  // namespace bulkhead::worker
