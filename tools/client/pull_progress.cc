#include "tools/client/pull_progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bulkhead::tools {
namespace {

using State = schema::Pull::Part::State;

constexpr double kMiB = 1 << 20;
constexpr int kLeastBar = 8;
constexpr int kMostBar = 40;
constexpr size_t kShownDigest = 19;  // "sha256:" and 12 digits
// Digest, sizes, state and what separates them.
constexpr int kColumnsBesides = 19 + 2 + 4 + 22 + 12;

const char* NameOf(State state) {
  switch (state) {
    case State::WAITING:
      return "waiting";
    case State::FETCHING:
      return "fetching";
    case State::UNPACKING:
      return "unpacking";
    case State::DONE:
      return "done";
  }
  return "";
}

std::string Bar(const AdminPull::Part& part, int width) {
  bool whole = part.state == State::DONE || part.state == State::UNPACKING;
  double share = part.size == 0 ? 0 : static_cast<double>(part.fetched) / part.size;
  int full = whole ? width : std::clamp(static_cast<int>(share * width), 0, width);
  return absl::StrCat(std::string(full, '#'), std::string(width - full, '.'));
}

}  // namespace

std::string PullSummary(const AdminPull& pull) {
  if (pull.waiting) return absl::StrCat(pull.reference, ": waits for other pulls");
  uint64_t size = 0, fetched = 0;
  size_t done = 0;
  for (const AdminPull::Part& part : pull.parts) {
    size += part.size;
    fetched += part.state == State::DONE ? part.size : part.fetched;
    done += part.state == State::DONE;
  }
  return absl::StrFormat("%s: %.1f of %.1f MiB, %d of %d layers done, %d s", pull.reference,
                         fetched / kMiB, size / kMiB, done, pull.parts.size(), pull.seconds);
}

std::string PullBars(const AdminPull& pull, int columns) {
  std::string out;
  int width = std::clamp(columns - kColumnsBesides, kLeastBar, kMostBar);
  for (const AdminPull::Part& part : pull.parts) {
    absl::StrAppendFormat(&out, "%s  [%s]  %6.1f of %6.1f MiB  %s\n",
                          part.digest.substr(0, kShownDigest), Bar(part, width),
                          (part.state == State::DONE ? part.size : part.fetched) / kMiB,
                          part.size / kMiB, NameOf(part.state));
  }
  return out;
}

}  // namespace bulkhead::tools
