#include "security/policy/glob.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace bulkhead::security {
namespace {

constexpr size_t kMaxGlobBytes = 512;
constexpr size_t kMaxStars = 16;
constexpr size_t kNowhere = absl::string_view::npos;

// Where to go on when what follows a star does not fit: the star takes one character more.
struct Retry {
  size_t glob = kNowhere;  // behind the star
  size_t text = 0;         // up to where it has taken
};

bool Longer(Retry& retry, absl::string_view text, bool any, size_t* g, size_t* t) {
  if (retry.glob == kNowhere || retry.text >= text.size()) return false;
  if (!any && text[retry.text] == '/') return false;
  *g = retry.glob;
  *t = ++retry.text;
  return true;
}

}  // namespace

// Only the last star of each kind needs a second try: what an earlier one could take instead, the
// later one can as well; but a "*" may not pass a "/", so then the last "**" has its turn.
bool MatchesGlob(absl::string_view glob, absl::string_view text) {
  Retry one, any;
  size_t g = 0, t = 0;
  while (g < glob.size() || t < text.size()) {
    if (glob.substr(g, 2) == "**") {
      any = {g + 2, t};
      one = {};
      g += 2;
    } else if (g < glob.size() && glob[g] == '*') {
      one = {g + 1, t};
      ++g;
    } else if (g < glob.size() && t < text.size() && glob[g] == text[t]) {
      ++g;
      ++t;
    } else if (Longer(one, text, false, &g, &t)) {
      continue;
    } else if (Longer(any, text, true, &g, &t)) {
      one = {};
    } else {
      return false;
    }
  }
  return true;
}

absl::Status CheckGlob(absl::string_view glob) {
  if (glob.empty() || glob.size() > kMaxGlobBytes) {
    return absl::InvalidArgumentError("a glob has 1 to 512 bytes");
  }
  if (std::count(glob.begin(), glob.end(), '*') > static_cast<std::ptrdiff_t>(kMaxStars)) {
    return absl::InvalidArgumentError("a glob has at most 16 stars");
  }
  for (char c : glob) {
    if (!absl::ascii_isalnum(c) && absl::string_view("*./:-_@[]").find(c) == kNowhere) {
      return absl::InvalidArgumentError(
          "a glob over image names is made of letters, digits, * . / : - _ @ [ ]");
    }
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::security
