#include "worker/launch/process_tree.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/unique_fd.h"

namespace bulkhead::launch {
namespace {

constexpr size_t kMaxProcesses = 4096;
constexpr size_t kMaxBytes = 64 << 10;

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", pid, "/task/", pid, "/children"), kMaxBytes);
  for (absl::string_view word : absl::StrSplit(text.value_or(""), ' ', absl::SkipEmpty())) {
    pid_t child = 0;
    if (absl::SimpleAtoi(word, &child) && child > 1) children.push_back(child);
  }
  return children;
}

}  // namespace

// Each is stopped before its children are listed, so that it can neither make more nor wait for one: the numbers stay
// those processes' own until all are killed.
void KillTree(pid_t root) {
  std::vector<pid_t> all = {root};
  for (size_t i = 0; i < all.size() && all.size() < kMaxProcesses; ++i) {
    kill(all[i], SIGSTOP);
    for (pid_t child : ChildrenOf(all[i])) all.push_back(child);
  }
  for (pid_t pid : all) kill(pid, SIGKILL);
}

}  // namespace bulkhead::launch
