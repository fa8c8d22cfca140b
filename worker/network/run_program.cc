#include "worker/network/run_program.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "worker/network/children.h"

namespace bulkhead::network {
namespace {

struct Streams {
  base::UniqueFd input;  // a sealed file: nothing has to be fed
  base::FdPair output;
  base::FdPair error;
  base::FdPair exec_failure;  // gets an errno, or closes at the exec
};

struct Child {
  pid_t pid = -1;
  base::UniqueFd pidfd;
};

absl::StatusOr<Streams> OpenStreams(absl::string_view input) {
  Streams streams;
  BULKHEAD_ASSIGN_OR_RETURN(streams.input, base::MakeSealedMemfd("cni-input", input));
  BULKHEAD_ASSIGN_OR_RETURN(streams.output, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(streams.error, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(streams.exec_failure, base::MakePipe());
  for (int fd : {streams.output.first.get(), streams.error.first.get()}) {
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return base::ErrnoStatus("fcntl");
  }
  return streams;
}

// In the child, between fork and exec: system calls alone.
[[noreturn]] void Execute(int program, char* const* arguments, char* const* environment,
                          const Streams& streams) {
  const int failure = streams.exec_failure.second.get();
  sigset_t none;
  sigemptyset(&none);
  if (setpgid(0, 0) == 0 && chdir("/") == 0 && dup2(streams.input.get(), 0) == 0 &&
      dup2(streams.output.second.get(), 1) == 1 && dup2(streams.error.second.get(), 2) == 2 &&
      syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) == 0 &&
      signal(SIGPIPE, SIG_DFL) != SIG_ERR && sigprocmask(SIG_SETMASK, &none, nullptr) == 0) {
    syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    // A script's interpreter must be able to open it by its descriptor.
    if (errno == ENOENT && fcntl(program, F_SETFD, 0) == 0) {
      syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    }
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t put = write(failure, &error, sizeof(error));
  _exit(127);
}

absl::StatusOr<Child> Start(const Program& program, Streams& streams) {
  char* arguments[] = {const_cast<char*>(program.path.c_str()), nullptr};
  std::vector<char*> environment;
  for (const std::string& entry : program.environment) {
    environment.push_back(const_cast<char*>(entry.c_str()));
  }
  environment.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return base::ErrnoStatus("fork");
  if (pid == 0) Execute(program.fd, arguments, environment.data(), streams);
  Child child = {pid, base::UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)))};
  setpgid(pid, pid);  // whoever of the two is first; after the exec it fails, and is done
  streams.output.second.Reset();
  streams.error.second.Reset();
  streams.exec_failure.second.Reset();
  int error = child.pidfd ? 0 : errno;
  const ssize_t got = read(streams.exec_failure.first.get(), &error, sizeof(error));
  if (got <= 0 && child.pidfd) return child;
  int status;
  BULKHEAD_RETURN_IF_ERROR(EndAllChildren(pid, &status));
  return base::ErrnoStatus(absl::StrCat("execute ", program.path), error);
}

// Takes what is there now. *open becomes false at the end of the stream.
absl::Status Drain(int fd, bool* open, std::string* into) {
  char chunk[16 << 10];
  for (;;) {
    const ssize_t got = read(fd, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return absl::OkStatus();
    if (got < 0) return base::ErrnoStatus("read from a plugin");
    if (got == 0) {
      *open = false;
      return absl::OkStatus();
    }
    into->append(chunk, static_cast<size_t>(got));
    if (into->size() > kMaxOutputBytes) {
      return absl::ResourceExhaustedError("plugin: its output is over 256 KiB");
    }
    // Other descriptors and the deadline have their turn.
    return absl::OkStatus();
  }
}

class Collector {
 public:
  Collector(const Streams& streams, int pidfd)
      : output_fd_(streams.output.first.get()),
        error_fd_(streams.error.first.get()),
        pidfd_(pidfd) {}

  // Until the program itself has ended.
  absl::Status UntilExit(base::Deadline deadline) {
    for (;;) {
      pollfd entries[] = {{output_open_ ? output_fd_ : -1, POLLIN, 0},
                          {error_open_ ? error_fd_ : -1, POLLIN, 0},
                          {pidfd_, POLLIN, 0}};
      const int ready = poll(entries, 3, deadline.PollTimeout());
      if (ready < 0 && errno != EINTR) return base::ErrnoStatus("poll");
      if (deadline.Passed()) return absl::DeadlineExceededError("plugin: it did not end in time");
      if (ready <= 0) continue;
      BULKHEAD_RETURN_IF_ERROR(Take());
      if (entries[2].revents != 0) return absl::OkStatus();
    }
  }

  // What is left in the pipes when every writer is gone.
  absl::Status Rest() {
    while (output_open_) BULKHEAD_RETURN_IF_ERROR(TakeRest(output_fd_, &output_open_, &output_));
    return absl::OkStatus();
  }

  std::string TakeOutput() { return std::move(output_); }
  std::string TakeError() { return std::move(error_); }

 private:
  absl::Status Take() {
    if (output_open_) BULKHEAD_RETURN_IF_ERROR(Drain(output_fd_, &output_open_, &output_));
    if (!error_open_) return absl::OkStatus();
    BULKHEAD_RETURN_IF_ERROR(Drain(error_fd_, &error_open_, &error_));
    error_.resize(std::min(error_.size(), kMaxErrorBytes));
    return absl::OkStatus();
  }

  // A writer that would not die must not make this wait.
  static absl::Status TakeRest(int fd, bool* open, std::string* into) {
    const size_t before = into->size();
    BULKHEAD_RETURN_IF_ERROR(Drain(fd, open, into));
    if (into->size() == before) *open = false;
    return absl::OkStatus();
  }

  int output_fd_;
  int error_fd_;
  int pidfd_;
  bool output_open_ = true;
  bool error_open_ = true;
  std::string output_;
  std::string error_;
};

}  // namespace

absl::StatusOr<Ended> RunProgram(const Program& program, base::Deadline deadline) {
  BULKHEAD_RETURN_IF_ERROR(AdoptOrphans());
  BULKHEAD_ASSIGN_OR_RETURN(Streams streams, OpenStreams(program.input));
  BULKHEAD_ASSIGN_OR_RETURN(Child child, Start(program, streams));
  Collector collector(streams, child.pidfd.get());
  const absl::Status collected = collector.UntilExit(deadline);
  int status = 0;
  const absl::Status ended = EndAllChildren(child.pid, &status);
  if (!ended.ok())
    base::Log(base::Severity::kError, "cannot end a plugin", {{"path", program.path}});
  BULKHEAD_RETURN_IF_ERROR(collected);
  BULKHEAD_RETURN_IF_ERROR(collector.Rest());
  if (WIFSIGNALED(status)) {
    return absl::AbortedError(absl::StrCat("plugin: ended by signal ", WTERMSIG(status)));
  }
  return Ended{WEXITSTATUS(status), collector.TakeOutput(), collector.TakeError()};
}

}  // namespace bulkhead::network
