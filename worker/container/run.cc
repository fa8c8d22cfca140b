#include "worker/container/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::container {
namespace {

using base::UniqueFd;

constexpr size_t kMaxComplaint = 2048;
constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace

absl::StatusOr<pid_t> SpawnProgram(const std::vector<std::string>& arguments,
                                   const Streams& wanted) {
  const int streams[] = {wanted.in, wanted.out, wanted.err};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  absl::Cleanup release = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  for (int fd = 0; fd < 3; ++fd) {
    if (streams[fd] < 0) {
      posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    } else {
      posix_spawn_file_actions_adddup2(&actions, streams[fd], fd);
    }
  }
  // The worker's own descriptors 3 to 5 came without close-on-exec.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char* const environment[] = {const_cast<char*>(kPath), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environment);
  if (error != 0) return base::ErrnoStatus(absl::StrCat("run ", arguments[0]), error);
  return pid;
}

std::string PathForChildren(int fd) { return absl::StrCat("/proc/", getpid(), "/fd/", fd); }

absl::StatusOr<Run> Run::Of(pid_t child, UniqueFd log) {
  Run run(child, UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, child, 0))), std::move(log));
  if (run.pidfd() < 0) return base::ErrnoStatus("pidfd of the runtime");
  return run;
}

Run::Run(pid_t pid, UniqueFd pidfd, UniqueFd log)
    : pid_(pid), pidfd_(std::move(pidfd)), log_(std::move(log)) {}

Run::Run(Run&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      log_(std::move(other.log_)) {}

Run::~Run() {
  if (pid_ > 0) Kill();
}

absl::StatusOr<int> Run::Wait(base::Deadline deadline) {
  pollfd entry = {pidfd_.get(), POLLIN, 0};
  for (;;) {
    const int ready = poll(&entry, 1, deadline.PollTimeout());
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) return base::ErrnoStatus("wait for the runtime");
    if (!deadline.Passed()) continue;
    Kill();
    return absl::DeadlineExceededError("the runtime did not end in time");
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return base::ErrnoStatus("wait for the runtime");
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void Run::Kill() {
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

pid_t Run::Release() { return std::exchange(pid_, -1); }

std::string OneLine(absl::string_view text) {
  std::string line(text.substr(0, kMaxComplaint));
  for (char& c : line) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return std::string(absl::StripAsciiWhitespace(line));
}

std::string Run::Complaint() const {
  std::string text(kMaxComplaint, '\0');
  const ssize_t got = pread(log_.get(), text.data(), text.size(), 0);
  return OneLine(absl::string_view(text).substr(0, got > 0 ? static_cast<size_t>(got) : 0));
}

}  // namespace bulkhead::container
