#include "worker/network/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::network {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(2);
constexpr absl::Duration kPause = absl::Milliseconds(2);
constexpr size_t kMaxStatBytes = 4096;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

// Whether the process is a child of ours: the second field after the name, which may hold anything,
// in parentheses.
bool IsOurChild(const std::string& pid) {
  const absl::StatusOr<std::string> stat =
      base::ReadFile(absl::StrCat("/proc/", pid, "/stat"), kMaxStatBytes);
  if (!stat.ok()) return false;
  const size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return false;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(*stat).substr(name_end + 1), ' ', absl::SkipEmpty());
  pid_t parent = 0;
  return fields.size() > 1 && absl::SimpleAtoi(fields[1], &parent) && parent == getpid();
}

// A child's pid stays its own until we reap it, so the kill cannot hit another.
void KillChildren() {
  std::unique_ptr<DIR, CloseDir> proc(opendir("/proc"));
  if (proc == nullptr) return;
  while (const dirent* entry = readdir(proc.get())) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || pid <= 0) continue;
    if (IsOurChild(entry->d_name)) kill(pid, SIGKILL);
  }
}

}  // namespace

absl::Status AdoptOrphans() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) == 0) return absl::OkStatus();
  return base::ErrnoStatus("adopt orphans");
}

absl::Status EndAllChildren(pid_t leader, int* leader_status) {
  const base::Deadline deadline = base::Deadline::After(kPatience);
  // Before the leader is reaped: afterwards its number might name another group.
  kill(-leader, SIGKILL);
  kill(leader, SIGKILL);
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == leader) *leader_status = status;
    if (pid > 0 || (pid < 0 && errno == EINTR)) continue;
    if (pid < 0) return absl::OkStatus();  // ECHILD
    if (deadline.Passed()) return absl::DeadlineExceededError("processes of a plugin do not end");
    KillChildren();
    absl::SleepFor(kPause);
  }
}

}  // namespace bulkhead::network
