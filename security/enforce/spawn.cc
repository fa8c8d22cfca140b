#include "security/enforce/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "security/layer_ids.h"

namespace bulkhead::security {
namespace {

using base::UniqueFd;

// All that the child needs, made before it exists: between clone and exec it may not allocate.
struct Plan {
  std::vector<int> fds;  // the child renumbers them here
  int program;
  int stderr_fd;
  int null;
  bool become_root = false;  // of the new user namespace
  int go = -1;               // read end: the parent has written the id maps and joined the cgroups
  int go_write = -1;         // the parent's end, of which the child has a copy
  int report;                // write end: an errno, or closed by exec
  std::vector<char*> argv;
};

[[noreturn]] void Fail(int report, int error) {
  [[maybe_unused]] const ssize_t sent = write(report, &error, sizeof(error));
  _exit(127);
}

// Raw calls from here on: the C library's own would take locks or look at what it knows of its
// threads.
void AwaitParent(const Plan& plan) {
  char byte;
  // Else a parent that was killed would be awaited for ever.
  close(plan.go_write);
  if (read(plan.go, &byte, 1) != 1) Fail(plan.report, EPIPE);
}

void BecomeRootOfNamespace(const Plan& plan) {
  if (syscall(SYS_setgroups, 0, nullptr) != 0 || syscall(SYS_setresgid, 0, 0, 0) != 0 ||
      syscall(SYS_setresuid, 0, 0, 0) != 0) {
    Fail(plan.report, errno);
  }
}

// An ignored signal or a blocked one would outlive exec.
void ResetSignals() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &action, nullptr);
  const uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
}

int MoveUp(const Plan& plan, int fd, int above) {
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, above);
  if (moved < 0) Fail(plan.report, errno);
  return moved;
}

void Place(const Plan& plan, int fd, int at, int flags) {
  if (dup3(fd, at, flags) < 0) Fail(plan.report, errno);
}

// The wanted numbers may be in use by other wanted descriptors, so all go above them first. Returns
// the program's.
int ArrangeFds(Plan& plan) {
  const int count = static_cast<int>(plan.fds.size());
  const int program_at = 3 + count, report_at = 4 + count, above = 5 + count;
  for (int& fd : plan.fds) {
    if (fd >= 0) fd = MoveUp(plan, fd, above);
  }
  const int program = MoveUp(plan, plan.program, above);
  const int null = MoveUp(plan, plan.null, above);
  const int errors = MoveUp(plan, plan.stderr_fd, above);
  plan.report = MoveUp(plan, plan.report, above);
  Place(plan, null, 0, 0);
  Place(plan, null, 1, 0);
  Place(plan, errors, 2, 0);
  for (int i = 0; i < count; ++i) {
    if (plan.fds[i] >= 0) {
      Place(plan, plan.fds[i], 3 + i, 0);
    } else {
      close(3 + i);
    }
  }
  Place(plan, program, program_at, O_CLOEXEC);
  Place(plan, plan.report, report_at, O_CLOEXEC);
  plan.report = report_at;
  if (syscall(SYS_close_range, above, ~0u, 0) != 0) Fail(plan.report, errno);
  return program_at;
}

[[noreturn]] void Child(Plan& plan) {
  ResetSignals();
  if (plan.go >= 0) AwaitParent(plan);
  if (plan.become_root) BecomeRootOfNamespace(plan);
  setsid();
  umask(022);
  const int program = ArrangeFds(plan);
  if (chdir("/") != 0) Fail(plan.report, errno);
  char* const environment[] = {nullptr};
  syscall(SYS_execveat, program, "", plan.argv.data(), environment, AT_EMPTY_PATH);
  Fail(plan.report, errno);
}

absl::StatusOr<Spawned> Clone(uint64_t flags, int cgroup) {
  int pidfd = -1;
  clone_args args = {};
  args.flags = flags | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup);
  }
  const long pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOSPC)) {
    return absl::ResourceExhaustedError(absl::StrCat("clone3: ", strerror(errno)));
  }
  if (pid < 0) return base::ErrnoStatus("clone3");
  return Spawned{static_cast<pid_t>(pid), UniqueFd(pid == 0 ? -1 : pidfd)};
}

absl::Status WriteMaps(pid_t pid, const std::string& map) {
  for (const char* file : {"uid_map", "gid_map"}) {
    BULKHEAD_RETURN_IF_ERROR(
        base::WriteKernelFile(AT_FDCWD, absl::StrCat("/proc/", pid, "/", file), map));
  }
  return absl::OkStatus();
}

std::string MapOf(IdMap id_map) {
  switch (id_map) {
    case IdMap::kNone:
      return "";
    case IdMap::kLayer:
      return absl::StrCat("0 ", kLayerIdShift, " ", kLayerIdCount, "\n", kLayerBrokerInnerId, " ",
                          kBrokerUid, " 1\n");
    case IdMap::kIdentity:
      return "0 0 4294967295\n";
  }
  return "";
}

uint64_t CloneFlags(const Namespaces& ns) {
  uint64_t flags = 0;
  if (ns.pid == Ns::kNew) flags |= CLONE_NEWPID;
  if (ns.user == Ns::kNew) flags |= CLONE_NEWUSER;
  return flags;
}

// Blocks until exec has closed the pipe or the child has sent its errno.
absl::Status AwaitExec(int report) {
  int error = 0;
  ssize_t got;
  do {
    got = read(report, &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  if (got == 0) return absl::OkStatus();
  return base::ErrnoStatus("start of the program", got == sizeof(error) ? error : EIO);
}

absl::Status JoinCgroups(const SpawnOptions& options, pid_t pid) {
  for (const std::string& procs : options.cgroup_procs) {
    BULKHEAD_RETURN_IF_ERROR(base::WriteKernelFile(AT_FDCWD, procs, absl::StrCat(pid)));
  }
  return absl::OkStatus();
}

bool JoinsFirst(const Profile& profile) { return profile.confinement == Confinement::kInheritable; }

// The parent's part while the child runs. Joining can take milliseconds (an RCU grace period).
absl::Status Raise(const Profile& profile, const SpawnOptions& options, pid_t pid, UniqueFd go,
                   int report) {
  if (profile.id_map != IdMap::kNone) {
    BULKHEAD_RETURN_IF_ERROR(WriteMaps(pid, MapOf(profile.id_map)));
  }
  if (JoinsFirst(profile)) BULKHEAD_RETURN_IF_ERROR(JoinCgroups(options, pid));
  if (go) BULKHEAD_RETURN_IF_ERROR(base::WriteAll(go.get(), "g"));
  if (!JoinsFirst(profile)) BULKHEAD_RETURN_IF_ERROR(JoinCgroups(options, pid));
  return AwaitExec(report);
}

void KillAndReap(const Spawned& child) {
  syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
  siginfo_t info;
  while (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(child.pidfd.get()), &info,
                WEXITED) != 0 &&
         errno == EINTR) {
  }
}

}  // namespace

absl::StatusOr<Spawned> Spawn(const Profile& profile, const SpawnOptions& options) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd null,
                            base::OpenAt(AT_FDCWD, "/dev/null", O_RDWR, base::Resolve::kHost));
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair report, base::MakePipe());
  base::FdPair go;
  const bool maps = profile.id_map != IdMap::kNone;
  if (maps || (JoinsFirst(profile) && !options.cgroup_procs.empty())) {
    BULKHEAD_ASSIGN_OR_RETURN(go, base::MakePipe());
  }
  std::string name =
      absl::StrCat("bulkhead-", profile.kind < Kind::kFetch ? "" : "worker-", profile.name);
  std::vector<std::string> arguments = options.arguments;
  Plan plan = {.fds = options.fds,
               .program = options.program,
               .stderr_fd = options.stderr_fd,
               .null = null.get(),
               .become_root = maps,
               .go = go.first.get(),
               .go_write = go.second.get(),
               .report = report.second.get()};
  plan.argv.push_back(name.data());
  for (std::string& argument : arguments) plan.argv.push_back(argument.data());
  plan.argv.push_back(nullptr);

  BULKHEAD_ASSIGN_OR_RETURN(Spawned child, Clone(CloneFlags(profile.namespaces), options.cgroup));
  if (child.pid == 0) Child(plan);
  report.second.Reset();
  go.first.Reset();
  const absl::Status status =
      Raise(profile, options, child.pid, std::move(go.second), report.first.get());
  if (status.ok()) return child;
  KillAndReap(child);
  return base::Annotate(status, absl::StrCat("start ", profile.name));
}

absl::StatusOr<UniqueFd> MakeLayerIdsNamespace() {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair hold, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(Spawned child, Clone(CLONE_NEWUSER, -1));
  if (child.pid == 0) {
    char byte;
    close(hold.second.get());
    [[maybe_unused]] const ssize_t end = read(hold.first.get(), &byte, 1);
    _exit(0);
  }
  const absl::Cleanup reap = [&child] { KillAndReap(child); };
  BULKHEAD_RETURN_IF_ERROR(
      WriteMaps(child.pid, absl::StrCat(kLayerIdShift, " 0 ", kLayerIdCount, "\n")));
  UniqueFd userns(
      open(absl::StrCat("/proc/", child.pid, "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!userns) return base::ErrnoStatus("open the layers' user namespace");
  return userns;
}

}  // namespace bulkhead::security
