#include "tools/up/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "security/enforce/spawn.h"

namespace bulkhead::tools {

absl::Status Child::Start(int directory, std::vector<int> fds) {
  base::UniqueFd program(openat(directory, program_, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!program) return base::ErrnoStatus(absl::StrCat("open program ", program_));
  security::SpawnOptions options;
  options.program = program.get();
  options.fds = std::move(fds);
  absl::StatusOr<security::Spawned> spawned = security::Spawn(profile_, options);
  if (!spawned.ok()) return base::Annotate(spawned.status(), absl::StrCat("start ", program_));
  pid_ = spawned->pid;
  pidfd_ = std::move(spawned->pidfd);
  base::Log(base::Severity::kInfo, "started", {{"program", program_}, {"pid", pid_}});
  return absl::OkStatus();
}

void Child::Stop(int signal, absl::Duration patience) {
  if (!running()) return;
  if (signal != 0) kill(pid_, signal);
  base::Deadline deadline = base::Deadline::After(patience);
  pollfd ended = {pidfd_.get(), POLLIN, 0};
  int ready;
  do {
    ready = poll(&ended, 1, deadline.PollTimeout());
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    base::Log(base::Severity::kWarning, "does not end, killed", {{"program", program_}});
  }
  Kill();
}

void Child::Kill() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  Wait();
}

void Child::Wait() {
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  pidfd_.Reset();
}

bool Child::Reaped(pid_t pid) {
  if (pid != pid_) return false;
  pid_ = -1;
  pidfd_.Reset();
  return true;
}

}  // namespace bulkhead::tools
