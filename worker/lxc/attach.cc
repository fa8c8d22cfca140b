#include "worker/lxc/attach.h"

#include <fcntl.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "worker/lxc/keeper.h"
#include "worker/lxc/lxc_config.h"

namespace bulkhead::lxc {
namespace {

using base::UniqueFd;

constexpr int kCannotRun = 127;

// What the command's own process does last, with everything of it prepared before the fork.
struct Command {
  std::vector<char*> argv;
  std::string cwd;
  uint64_t mark = 0;
  bool seccomp = false;
  bool no_new_privs = false;
  int complaints = -1;
  int executed = -1;  // closes where the command was executed
};

int Complain(const Command& command, const char* what, int error) {
  dprintf(command.complaints, "%s: %s", what, strerror(error));
  if (write(command.executed, "!", 1) != 1) return 1;
  return kCannotRun;
}

// In the container, as the command's user. The library only warns where it could not set a filter
// or change the directory.
int Execute(void* payload) {
  const auto& command = *static_cast<Command*>(payload);
  if (command.mark != 0) {
    const rlimit limit = {command.mark, command.mark};
    if (setrlimit(RLIMIT_MSGQUEUE, &limit) != 0) return Complain(command, "setrlimit", errno);
  }
  if ((command.seccomp && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2) ||
      (command.no_new_privs && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)) {
    return Complain(command, "confine the command", EPERM);
  }
  if (chdir(command.cwd.c_str()) != 0) return Complain(command, command.cwd.c_str(), errno);
  execvp(command.argv[0], command.argv.data());
  return Complain(command, command.argv[0], errno);
}

absl::Status JoinNetworkOf(int keeper) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd ns, [&]() -> absl::StatusOr<UniqueFd> {
    UniqueFd fd(open(absl::StrCat("/proc/", keeper, "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return base::ErrnoStatus("network of liblxc's process");
    return fd;
  }());
  if (setns(ns.get(), CLONE_NEWNET) == 0) return absl::OkStatus();
  return base::ErrnoStatus("join the network of liblxc's process");
}

// A terminal of the container's own.
absl::StatusOr<UniqueFd> MakeTerminal(const AttachJob& job, lxc_container* container) {
  const UniqueFd devpts(container->devpts_fd(container));
  if (!devpts) return absl::FailedPreconditionError("the container has no terminals");
  const UniqueFd master(openat(devpts.get(), "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  int unlock = 0;
  if (!master || ioctl(master.get(), TIOCSPTLCK, &unlock) != 0) {
    return base::ErrnoStatus("make a terminal");
  }
  UniqueFd slave(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return base::ErrnoStatus("open the terminal");
  BULKHEAD_RETURN_IF_ERROR(SendTerminal(job.console, master.get()));
  return slave;
}

absl::StatusOr<lxc_container*> Find(const AttachJob& job) {
  BULKHEAD_RETURN_IF_ERROR(JoinNetworkOf(job.keeper));
  const std::string directory = job.bundle.substr(0, job.bundle.rfind('/'));
  lxc_container* container = lxc_container_new(job.container_id.c_str(), directory.c_str());
  const std::string file = absl::StrCat(job.bundle, "/", kLxcConfig);
  if (container == nullptr || !container->load_config(container, file.c_str())) {
    return absl::InternalError("liblxc does not know the container");
  }
  return container;
}

// Strings that the library takes as arrays that end with nullptr.
struct Words {
  explicit Words(std::vector<std::string> list) : texts(std::move(list)) {
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
  std::vector<std::string> texts;
  std::vector<char*> pointers;
};

std::vector<std::string> Environment(schema::Process::Reader process) {
  std::vector<std::string> list;
  for (schema::KeyValue::Reader entry : process.getEnv()) {
    const auto value = entry.getValue().asChars();
    list.push_back(
        absl::StrCat(entry.getKey().cStr(), "=", absl::string_view(value.begin(), value.size())));
  }
  return list;
}

std::vector<std::string> Arguments(schema::Process::Reader process) {
  std::vector<std::string> list;
  for (capnp::Text::Reader arg : process.getArgs()) list.emplace_back(arg.cStr(), arg.size());
  return list;
}

absl::StatusOr<pid_t> Attach(const AttachJob& job, int complaints, int executed) {
  BULKHEAD_ASSIGN_OR_RETURN(lxc_container * container, Find(job));
  UniqueFd terminal;
  if (!job.console.empty()) {
    BULKHEAD_ASSIGN_OR_RETURN(terminal, MakeTerminal(job, container));
  }
  const schema::Process::Reader process = job.process;
  Words args(Arguments(process)), environment(Environment(process));
  std::vector<gid_t> groups;
  for (uint32_t gid : process.getUser().getAdditionalGids()) groups.push_back(gid);
  Command command = {
      .argv = args.pointers,
      .cwd = process.getCwd(),
      .mark = job.mark,
      .seccomp = process.getSeccomp().getType() != schema::SecurityProfile::Type::UNCONFINED,
      .no_new_privs = process.getNoNewPrivileges(),
      .complaints = complaints,
      .executed = executed};
  lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
  options.attach_flags = LXC_ATTACH_DEFAULT | LXC_ATTACH_SETGROUPS;
  if (command.no_new_privs) options.attach_flags |= LXC_ATTACH_NO_NEW_PRIVS;
  options.namespaces = job.namespaces;
  options.uid = process.getUser().getUid();
  options.gid = process.getUser().getGid();
  options.groups = {groups.size(), groups.data()};
  options.env_policy = LXC_ATTACH_CLEAR_ENV;
  options.extra_env_vars = environment.pointers.data();
  options.initial_cwd = const_cast<char*>("/");
  if (terminal) options.stdin_fd = options.stdout_fd = options.stderr_fd = terminal.get();
  pid_t pid = -1;
  if (container->attach(container, Execute, &command, &options, &pid) != 0 || pid <= 0) {
    return absl::InternalError("liblxc could not join the container");
  }
  return pid;
}

// What the worker has open is nobody's in a container.
absl::Status KeepOnly(int* complaints, int* report) {
  constexpr int kComplaints = 3, kReport = 4;
  const int high_complaints = fcntl(*complaints, F_DUPFD_CLOEXEC, 64);
  const int high_report = *report < 0 ? -1 : fcntl(*report, F_DUPFD_CLOEXEC, 64);
  if (high_complaints < 0 || (*report >= 0 && high_report < 0)) return base::ErrnoStatus("move");
  if (dup3(high_complaints, kComplaints, O_CLOEXEC) < 0) return base::ErrnoStatus("place");
  *complaints = kComplaints;
  close(kReport);
  if (high_report >= 0) {
    if (dup3(high_report, kReport, O_CLOEXEC) < 0) return base::ErrnoStatus("place");
    *report = kReport;
  }
  return close_range(kReport + 1, ~0u, 0) == 0 ? absl::OkStatus() : base::ErrnoStatus("close");
}

absl::Status Prepare(const AttachJob& job, int* complaints, int* report) {
  setsid();
  BULKHEAD_RETURN_IF_ERROR(GiveStreams(job.streams, job.stream_owner));
  BULKHEAD_RETURN_IF_ERROR(TakeStreams(job.streams));
  BULKHEAD_RETURN_IF_ERROR(KeepOnly(complaints, report));
  ClearEnvironment();
  return base::WriteKernelFile(AT_FDCWD, "/proc/self/oom_score_adj",
                               absl::StrCat(job.oom_score_adj));
}

absl::StatusOr<pid_t> Run(const AttachJob& job, int* complaints, int* report) {
  BULKHEAD_RETURN_IF_ERROR(Prepare(job, complaints, report));
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair executed, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(const pid_t pid, Attach(job, *complaints, executed.second.get()));
  executed.second.Reset();
  char byte = 0;
  if (read(executed.first.get(), &byte, 1) == 0) return pid;
  waitpid(pid, nullptr, 0);
  return absl::FailedPreconditionError("");  // the command has said why
}

int Serve(const AttachJob& job, int complaints) {
  int report = job.report;
  const absl::StatusOr<pid_t> pid = Run(job, &complaints, &report);
  if (!pid.ok()) {
    dprintf(complaints, "%s", std::string(pid.status().message()).c_str());
    return kCannotRun;
  }
  if (report >= 0) return write(report, &*pid, sizeof(*pid)) == sizeof(*pid) ? 0 : 1;
  int status = 0;
  if (waitpid(*pid, &status, 0) != *pid) return 1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

absl::StatusOr<container::Run> StartAttach(const AttachJob& job) {
  UniqueFd log(memfd_create("lxc-attach", MFD_CLOEXEC));
  if (!log) return base::ErrnoStatus("memfd");
  const pid_t pid = fork();
  if (pid < 0) return base::ErrnoStatus("fork");
  if (pid == 0) _exit(Serve(job, log.get()));
  return container::Run::Of(pid, std::move(log));
}

}  // namespace bulkhead::lxc
