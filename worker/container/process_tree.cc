#include "worker/container/process_tree.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/fs.h"

namespace bulkhead::container {
namespace {

constexpr size_t kMaxStatBytes = 4096;
constexpr int kMaxPasses = 16;

// 0 where the process has gone. The name before it, in parentheses, may hold anything.
pid_t ParentOf(pid_t pid) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", pid, "/stat"), kMaxStatBytes);
  if (!text.ok() || text->rfind(')') == std::string::npos) return 0;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(*text).substr(text->rfind(')') + 1), ' ', absl::SkipEmpty());
  pid_t parent = 0;
  if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &parent)) return 0;
  return parent;
}

std::vector<std::pair<pid_t, pid_t>> AllWithParents() {
  std::vector<std::pair<pid_t, pid_t>> all;
  std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  if (proc == nullptr) return all;
  while (const dirent* entry = readdir(proc.get())) {
    pid_t pid = 0;
    if (absl::SimpleAtoi(entry->d_name, &pid) && pid > 1) all.emplace_back(pid, ParentOf(pid));
  }
  return all;
}

bool Contains(const std::vector<pid_t>& pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

// The hard bound of message queues, in bytes; 0 where the process has gone.
uint64_t MarkOf(pid_t pid) {
  constexpr absl::string_view kLine = "Max msgqueue size";
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", pid, "/limits"), kMaxStatBytes);
  if (!text.ok()) return 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, kLine)) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t hard = 0;
    return fields.size() >= 2 && absl::SimpleAtoi(fields[1], &hard) ? hard : 0;
  }
  return 0;
}

bool IsInCgroup(pid_t pid, const std::string& container_id) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", pid, "/cgroup"), kMaxStatBytes);
  return text.ok() && absl::StrContains(*text, container_id);
}

}  // namespace

uint64_t NewMark() {
  constexpr uint64_t kDefault = 819200, kRoom = 1 << 16;
  rlimit limit = {};
  if (getrlimit(RLIMIT_MSGQUEUE, &limit) != 0) return 0;
  const uint64_t most = std::min<uint64_t>(limit.rlim_max, kDefault);
  return most > 2 * kRoom ? most - 1 - static_cast<uint64_t>(getpid()) % kRoom : 0;
}

// Until a look finds none: one may have made another before it was killed.
void KillMarked(uint64_t mark, const std::string& container_id) {
  for (int pass = 0; mark != 0 && pass < kMaxPasses; ++pass) {
    bool found = false;
    for (const auto& [pid, parent] : AllWithParents()) {
      if (MarkOf(pid) != mark || !IsInCgroup(pid, container_id)) continue;
      found |= kill(pid, SIGKILL) == 0;
    }
    if (!found) return;
  }
}

// Each is stopped when it is found, so that it neither makes more nor waits for one: the numbers
// stay those processes' own until all are killed. Not every kernel lists a process's children, so
// all processes are asked for their parent.
void KillDescendants() {
  std::vector<pid_t> tree = {getpid()};
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    const size_t before = tree.size();
    for (const auto& [pid, parent] : AllWithParents()) {
      if (!Contains(tree, parent) || Contains(tree, pid)) continue;
      kill(pid, SIGSTOP);
      tree.push_back(pid);
    }
    if (tree.size() == before) break;
  }
  for (size_t i = 1; i < tree.size(); ++i) kill(tree[i], SIGKILL);
}

}  // namespace bulkhead::container
