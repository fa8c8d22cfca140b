#include "worker/launch/runtime.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::launch {
namespace {

using base::UniqueFd;

constexpr size_t kMaxComplaint = 2048;
constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

absl::Status CheckProgram(const std::string& path) {
  if (!base::IsCleanAbsolutePath(path)) {
    return absl::InvalidArgumentError("runtime path: not a clean absolute path");
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd,
                            base::OpenAt(AT_FDCWD, path, O_PATH, base::Resolve::kHost));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("runtime ", path, ": not a file that root alone can write"));
  }
  return absl::OkStatus();
}

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& arguments, const int (&streams)[3]) {
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

}  // namespace

std::string PathForChildren(int fd) { return absl::StrCat("/proc/", getpid(), "/fd/", fd); }

Runtime::Runtime(std::string path, std::string state_root, bool systemd)
    : path_(std::move(path)), state_root_(std::move(state_root)), systemd_(systemd) {}

absl::StatusOr<Runtime> Runtime::Open(schema::LaunchJob::Reader job, const Place& place) {
  const std::string path = job.getRuntimePath();
  BULKHEAD_RETURN_IF_ERROR(CheckProgram(path));
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(place.run, place.runtime_name, 0700));
  return Runtime(path, place.state_root,
                 job.getCgroupDriver() == schema::Host::CgroupDriver::SYSTEMD);
}

absl::StatusOr<Runtime::Run> Runtime::Start(const std::vector<std::string>& arguments,
                                            const Streams& streams) const {
  UniqueFd log(memfd_create("runtime-log", MFD_CLOEXEC));
  if (!log) return base::ErrnoStatus("memfd for the runtime's log");
  std::vector<std::string> all = {path_, "--root", state_root_, "--log",
                                  PathForChildren(log.get())};
  if (systemd_) all.push_back("--systemd-cgroup");
  all.insert(all.end(), arguments.begin(), arguments.end());
  BULKHEAD_ASSIGN_OR_RETURN(const pid_t pid, Spawn(all, {streams.in, streams.out, streams.err}));
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  Run run(pid, std::move(pidfd), std::move(log));
  if (run.pidfd() < 0) return base::ErrnoStatus("pidfd of the runtime");
  return run;
}

absl::Status Runtime::Call(const std::vector<std::string>& arguments,
                           absl::Duration patience) const {
  BULKHEAD_ASSIGN_OR_RETURN(Run run, Start(arguments, {}));
  BULKHEAD_ASSIGN_OR_RETURN(const int code, run.Wait(base::Deadline::After(patience)));
  if (code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(arguments[0], ": ", run.Complaint()));
}

Runtime::Run::Run(pid_t pid, UniqueFd pidfd, UniqueFd log)
    : pid_(pid), pidfd_(std::move(pidfd)), log_(std::move(log)) {}

Runtime::Run::Run(Run&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      log_(std::move(other.log_)) {}

Runtime::Run::~Run() {
  if (pid_ > 0) Kill();
}

absl::StatusOr<int> Runtime::Run::Wait(base::Deadline deadline) {
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

void Runtime::Run::Kill() {
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string Runtime::Run::Complaint() const {
  std::string text(kMaxComplaint, '\0');
  const ssize_t got = pread(log_.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return std::string(absl::StripAsciiWhitespace(text));
}

}  // namespace bulkhead::launch
