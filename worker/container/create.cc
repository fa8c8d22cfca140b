#include "worker/container/create.h"

#include <fcntl.h>
// The old interface to the hash alone: the new one brings all of libcrypto into a static program,
// and with it 5 MB of code and 300 KiB of memory for each exec.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/cgroup.h"
#include "base/cgroup_path.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mount.h"
#include "base/status.h"
#include "worker/common/log_file.h"
#include "worker/common/steps.h"
#include "worker/container/config.h"
#include "worker/container/facts.h"
#include "worker/container/policy.h"
#include "worker/container/stdio.h"
#include "worker/container/verify.h"

namespace bulkhead::container {
namespace {

using base::Resolve;
using base::UniqueFd;
using Source = schema::ContainerSpec::Namespaces::Source;

// The fds of a create job, told apart.
struct Inputs {
  UniqueFd rootfs;
  UniqueFd listen;
  std::vector<UniqueFd> volumes;
  UniqueFd target;  // pidfd whose pid namespace is joined
};

bool Is(const UniqueFd& fd, mode_t type) {
  struct stat st;
  return fd && fstat(fd.get(), &st) == 0 && (st.st_mode & S_IFMT) == type;
}

absl::StatusOr<Inputs> SortFds(schema::ContainerSpec::Reader spec, std::vector<UniqueFd> fds) {
  Inputs in;
  if (spec.getNamespaces().getPid() == Source::TARGET && !fds.empty()) {
    in.target = std::move(fds.back());
    fds.pop_back();
  }
  if (fds.size() < 2 || !Is(fds[0], S_IFDIR) || !Is(fds[1], S_IFSOCK)) {
    return absl::InvalidArgumentError("create: not a rootfs and a listening socket");
  }
  in.rootfs = std::move(fds[0]);
  in.listen = std::move(fds[1]);
  for (size_t i = 2; i < fds.size(); ++i) in.volumes.push_back(std::move(fds[i]));
  return in;
}

// The pid by which the runtime can name the namespace to join; 0 where none is asked for. It counts
// only as long as the pidfd's process lives.
absl::StatusOr<pid_t> TargetPid(schema::ContainerSpec::Reader spec, const UniqueFd& pidfd) {
  if (spec.getNamespaces().getPid() != Source::TARGET) return 0;
  BULKHEAD_ASSIGN_OR_RETURN(const std::string info,
                            base::ReadFile(absl::StrCat("/proc/self/fdinfo/", pidfd.get()), 4096));
  for (absl::string_view line : absl::StrSplit(info, '\n')) {
    pid_t pid = 0;
    if (!absl::ConsumePrefix(&line, "Pid:") || !absl::SimpleAtoi(line, &pid)) continue;
    if (pid > 0) return pid;
  }
  return absl::FailedPreconditionError("the process whose pid namespace is asked for has ended");
}

// A link there would lead what the runtime does in /dev and /proc out of the container (V33).
absl::Status GuardRootfs(const UniqueFd& rootfs) {
  for (const char* name : {"dev", "proc", "sys", "etc"}) {
    const absl::Status status = base::OpenAt(rootfs.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW,
                                             Resolve::kBeneathNoSymlinks)
                                    .status();
    if (status.ok() || absl::IsNotFound(status)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("image: /", name, " is not a plain directory"));
  }
  return absl::OkStatus();
}

// The bundle becomes a mount of its own that is nobody's peer, and carries the container's mounts.
absl::Status AttachAll(const Place& place, const Inputs& in) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd plain, OpenBundle(place));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd clone, base::CloneMount(plain.get(), "", false));
  BULKHEAD_RETURN_IF_ERROR(base::SetMountAttributes(clone.get(), false, 0, 0, MS_PRIVATE, -1));
  BULKHEAD_RETURN_IF_ERROR(base::AttachMount(clone.get(), plain.get()));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd bundle, OpenBundle(place));
  BULKHEAD_ASSIGN_OR_RETURN(
      UniqueFd target, base::OpenAt(bundle.get(), "rootfs", O_PATH, Resolve::kBeneathNoSymlinks));
  BULKHEAD_RETURN_IF_ERROR(base::AttachMount(in.rootfs.get(), target.get()));
  for (size_t i = 0; i < in.volumes.size(); ++i) {
    BULKHEAD_ASSIGN_OR_RETURN(target, base::OpenAt(bundle.get(), absl::StrCat("mounts/", i), O_PATH,
                                                   Resolve::kBeneathNoSymlinks));
    BULKHEAD_RETURN_IF_ERROR(base::AttachMount(in.volumes[i].get(), target.get()));
  }
  return absl::OkStatus();
}

std::string Sha256(const std::string& text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, text.data(), text.size());
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &context);
  return digest;
}

// Until we have waited for its end, or that of its parent, which is our child and waits for it, the
// number stays its own.
absl::Status TakeProcess(const Runtime::Made& made, Created* container) {
  container->pid = made.first;
  container->child = made.child;
  container->pidfd.Reset(static_cast<int>(syscall(SYS_pidfd_open, container->pid, 0)));
  if (!container->pidfd) return base::ErrnoStatus("pidfd of the container");
  return absl::OkStatus();
}

// memory.events, or v1's memory.oom_control: both count OOM kills. Absent where nothing limits
// memory.
UniqueFd OpenMemoryEvents(schema::Host::CgroupMode mode, const std::string& cgroup) {
  const std::string path =
      mode == schema::Host::CgroupMode::V2
          ? absl::StrCat(base::kCgroupMount, cgroup, "/memory.events")
          : absl::StrCat(base::kCgroupMount, "/memory", cgroup, "/memory.oom_control");
  absl::StatusOr<UniqueFd> events = base::OpenAt(AT_FDCWD, path, O_RDONLY, Resolve::kHost);
  return events.ok() ? *std::move(events) : UniqueFd();
}

// On a hybrid node the unified hierarchy is hidden from here (job.cc) and from the container.
base::CgroupMode Mode(schema::Host::CgroupMode mode) {
  return mode == schema::Host::CgroupMode::V2 ? base::CgroupMode::kV2 : base::CgroupMode::kV1;
}

// This process is the parent of what the runtime left, and nobody else can take it out of its
// cgroup.
void ReapAll() {
  signal(SIGCHLD, SIG_IGN);  // those that end from now on
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

void LogFailure(const char* what, const absl::Status& status) {
  if (status.ok()) return;
  base::Log(base::Severity::kError, what, {{"error", status.message()}});
}

// From a made bundle to a verified process. What it leaves behind on failure, ~Created takes away.
absl::Status Build(schema::LaunchJob::Reader job, const Place& place, Inputs in,
                   Created* container) {
  const schema::ContainerSpec::Reader spec = job.getCreate();
  BULKHEAD_ASSIGN_OR_RETURN(Facts facts, GatherFacts(job, place, in.volumes.size()));
  BULKHEAD_ASSIGN_OR_RETURN(facts.target_pid, TargetPid(spec, in.target));
  BULKHEAD_ASSIGN_OR_RETURN(const nlohmann::json config, ConfigObject(spec, facts));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, Serialize(config));
  container->config_digest = Sha256(text);
  BULKHEAD_ASSIGN_OR_RETURN(container->log, worker::OpenLog(spec.getLogPath()));
  const bool user_namespace = spec.getNamespaces().getUser() == Source::POD;
  worker::MarkStep("compose config.json");
  BULKHEAD_RETURN_IF_ERROR(MakeBundle(place, in.volumes, user_namespace));
  worker::MarkStep("make the bundle");
  BULKHEAD_RETURN_IF_ERROR(AttachAll(place, in));
  BULKHEAD_RETURN_IF_ERROR(WriteBundleFile(place, kConfigFile, text));
  worker::MarkStep("attach mounts");
  BULKHEAD_ASSIGN_OR_RETURN(Stdio stdio, Stdio::Make({.terminal = spec.getProcess().getTerminal(),
                                                      .in = spec.getStdin(),
                                                      .out = true,
                                                      .err = true}));
  BULKHEAD_ASSIGN_OR_RETURN(
      const Runtime::Made made,
      container->runtime().Create({spec, facts, config, stdio.ChildEnds(), stdio.ConsolePath()}));
  worker::MarkStep("runtime create");
  BULKHEAD_RETURN_IF_ERROR(stdio.Finish());
  BULKHEAD_RETURN_IF_ERROR(TakeProcess(made, container));
  BULKHEAD_ASSIGN_OR_RETURN(const uint64_t inode, InodeOfProgram(container->pid));
  const Promise promise = {.pid = container->pid,
                           .runtime_inode = inode,
                           .seccomp = spec.getProcess().getSeccomp().getType() !=
                                      schema::SecurityProfile::Type::UNCONFINED,
                           .no_new_privs = spec.getProcess().getNoNewPrivileges(),
                           .bounding = spec.getProcess().getCapabilities(),
                           .ambient = spec.getProcess().getAmbient()};
  BULKHEAD_RETURN_IF_ERROR(CheckPromise(promise, place.container_id, false));
  if (user_namespace) {
    BULKHEAD_RETURN_IF_ERROR(CheckIdMapping(promise.pid, spec.getIdMapping()));
  }
  BULKHEAD_RETURN_IF_ERROR(SavePromise(place, promise));
  // Still the same process: else the runtime may have joined a stranger's namespace.
  BULKHEAD_RETURN_IF_ERROR(TargetPid(spec, in.target).status());
  worker::MarkStep("compare with the promise");
  container->out = std::move(stdio.out);
  container->err = std::move(stdio.err);
  container->in = std::move(stdio.in);
  container->listen = std::move(in.listen);
  container->stdin_once = spec.getStdinOnce();
  container->terminal = spec.getProcess().getTerminal();
  return absl::OkStatus();
}

}  // namespace

Created::Created(Place place, std::unique_ptr<Runtime> runtime, schema::Host::CgroupMode mode,
                 std::string cgroup)
    : place_(std::move(place)),
      runtime_(std::move(runtime)),
      mode_(mode),
      cgroup_(std::move(cgroup)) {}

Created::~Created() {
  if (kept_) return;
  LogFailure("undo create", runtime_->Delete(true));
  LogFailure("undo bundle", RemoveBundle(place_));
  ReapAll();
  const UniqueFd cgroups(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
  LogFailure("undo processes", base::KillCgroup(cgroups.get(), Mode(mode_), cgroup_));
  LogFailure("undo cgroup", base::RemoveCgroup(cgroups.get(), Mode(mode_), cgroup_));
}

absl::StatusOr<std::unique_ptr<Created>> CreateContainer(schema::LaunchJob::Reader job,
                                                         std::vector<UniqueFd> fds,
                                                         const Place& place,
                                                         const OpenRuntime& open) {
  const schema::ContainerSpec::Reader spec = job.getCreate();
  BULKHEAD_ASSIGN_OR_RETURN(Inputs in, SortFds(spec, std::move(fds)));
  BULKHEAD_ASSIGN_OR_RETURN(const pid_t target, TargetPid(spec, in.target));
  BULKHEAD_RETURN_IF_ERROR(CheckCreate(job, place.run, target));
  BULKHEAD_RETURN_IF_ERROR(GuardRootfs(in.rootfs));
  if (OpenBundle(place).ok()) return absl::AlreadyExistsError("create: the bundle exists already");
  BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Runtime> runtime, open(job, place));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string cgroup, base::CgroupPath(spec.getCgroup().cStr()));
  if (cgroup.substr(cgroup.rfind('/')).find(place.container_id) == std::string::npos) {
    return absl::InvalidArgumentError("cgroup: does not end in the container's id");
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return base::ErrnoStatus("become subreaper");
  auto container =
      std::make_unique<Created>(place, std::move(runtime), job.getCgroupMode(), cgroup);
  BULKHEAD_RETURN_IF_ERROR(Build(job, place, std::move(in), container.get()));
  container->memory_events = OpenMemoryEvents(job.getCgroupMode(), cgroup);
  return container;
}

}  // namespace bulkhead::container
