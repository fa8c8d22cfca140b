#include "worker/monitor/facts.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/log.h"

namespace bulkhead::monitor {

bool IsChild(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool IsFromUid(int socket, uid_t uid) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  const bool known = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (known && peer.uid == uid) return true;
  base::Log(base::Severity::kWarning, "refused a connection", {{"uid", peer.uid}});
  return false;
}

int ExitCode(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool SawOomKill(int memory_events) {
  char text[1024];
  const ssize_t got = pread(memory_events, text, sizeof(text), 0);
  if (got <= 0) return false;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text, static_cast<size_t>(got)), '\n')) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(line, ' ');
    uint64_t count = 0;
    if (pair.first == "oom_kill" && absl::SimpleAtoi(pair.second, &count)) return count > 0;
  }
  return false;
}

bool IsLogFile(int fd) {
  struct stat st;
  const int flags = fcntl(fd, F_GETFL);
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && flags >= 0 && (flags & O_APPEND) != 0 &&
         (flags & O_ACCMODE) != O_RDONLY;
}

base::UniqueFd WatchSignals() {
  for (int number : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) signal(number, SIG_IGN);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  return base::UniqueFd(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace bulkhead::monitor
