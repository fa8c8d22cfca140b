#include "worker/lxc/lxc_runtime.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/cgroup_path.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "worker/container/facts.h"
#include "worker/container/verify.h"
#include "worker/lxc/cgroups.h"
#include "worker/lxc/gate.h"
#include "worker/lxc/keeper.h"
#include "worker/lxc/library.h"
#include "worker/lxc/lxc_config.h"
#include "worker/lxc/mount_points.h"
#include "worker/lxc/powers.h"
#include "worker/lxc/seccomp.h"
#include "worker/lxc/state.h"

namespace bulkhead::lxc {
namespace {

using base::Deadline;
using base::UniqueFd;
using container::Place;
using container::Run;
using container::Streams;
using Source = schema::ContainerSpec::Namespaces::Source;

constexpr absl::Duration kCreatePatience = absl::Seconds(60);
constexpr absl::Duration kStartPatience = absl::Seconds(30);
constexpr absl::Duration kEndPatience = absl::Seconds(2);
constexpr size_t kMaxLogBytes = 256 << 10;
constexpr int kWithoutV1 = 7;  // the first version of liblxc that knows cgroup v2 alone

absl::StatusOr<std::string> OwnProgram() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0 || size == sizeof(path)) return base::ErrnoStatus("name of this program");
  return std::string(path, static_cast<size_t>(size));
}

uid_t RootOf(schema::ContainerSpec::Reader spec) {
  return spec.getNamespaces().getUser() == Source::POD ? spec.getIdMapping().getHostId() : 0;
}

int NamespacesOf(schema::ContainerSpec::Reader spec, bool cgroup_v2) {
  const auto ns = spec.getNamespaces();
  // The library's process has a network of its own, so the container's is always another.
  int flags = CLONE_NEWNS | CLONE_NEWNET;
  if (ns.getIpc() != Source::HOST) flags |= CLONE_NEWIPC;
  if (ns.getUts() != Source::HOST) flags |= CLONE_NEWUTS;
  if (ns.getPid() != Source::HOST) flags |= CLONE_NEWPID;
  if (ns.getUser() != Source::HOST) flags |= CLONE_NEWUSER;
  if (cgroup_v2 && !spec.getCgroupWritable()) flags |= CLONE_NEWCGROUP;
  return flags;
}

KeeperJob JobOf(const container::Runtime::Creation& creation, const Place& place,
                base::CgroupMode mode) {
  KeeperJob job = {
      .bundle = place.bundle,
      .container_id = place.container_id,
      .streams = creation.streams,
      .console = creation.console,
      .stream_owner = RootOf(creation.spec) + creation.spec.getProcess().getUser().getUid(),
      .cgroup_mode = mode};
  const nlohmann::json& process = creation.config["process"];
  job.args = process["args"].get<std::vector<std::string>>();
  job.environment = process["env"].get<std::vector<std::string>>();
  return job;
}

absl::Status MakePipeAt(const Place& place, const char* name) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd bundle, container::OpenBundle(place));
  if (mkfifoat(bundle.get(), name, 0600) == 0) return absl::OkStatus();
  return base::ErrnoStatus(absl::StrCat("make ", name));
}

absl::StatusOr<UniqueFd> OpenPipe(const Place& place, const char* name, int flags) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd bundle, container::OpenBundle(place));
  return base::OpenAt(bundle.get(), name, flags | O_NONBLOCK, base::Resolve::kBeneathNoSymlinks);
}

UniqueFd OpenCgroups() {
  return UniqueFd(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

void EndKeeper(const State& state) {
  const Deadline deadline = Deadline::After(kEndPatience);
  while (IsAlive(state) && !deadline.Passed()) absl::SleepFor(absl::Milliseconds(2));
  if (IsAlive(state)) kill(state.keeper, SIGKILL);
}

}  // namespace

absl::StatusOr<std::unique_ptr<container::Runtime>> LxcRuntime::Open(schema::LaunchJob::Reader job,
                                                                     const Place& place) {
  if (job.getCgroupDriver() == schema::Host::CgroupDriver::SYSTEMD) {
    return absl::FailedPreconditionError(
        "containers of runtime type lxc need cgroup_driver = \"cgroupfs\"");
  }
  const bool v2 = job.getCgroupMode() == schema::Host::CgroupMode::V2;
  if (!v2 && LibraryMajor() >= kWithoutV1) {
    return absl::FailedPreconditionError(
        absl::StrCat(LibraryVersion(), " knows no cgroup v1, which this node has"));
  }
  return std::unique_ptr<container::Runtime>(
      new LxcRuntime(place, v2 ? base::CgroupMode::kV2 : base::CgroupMode::kV1));
}

absl::Status LxcRuntime::WriteFiles(const Creation& creation, const std::string& cgroup) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd bundle, container::OpenBundle(place_));
  // The library's processes in the container have to get through to it.
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(bundle.get(), kRootMount, 0711));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd root,
                            base::OpenAt(AT_FDCWD, absl::StrCat(place_.bundle, "/rootfs"),
                                         O_PATH | O_DIRECTORY, base::Resolve::kHost));
  RootfsMountPoints mount_points(std::move(root), RootOf(creation.spec));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string program, OwnProgram());
  const Inputs inputs = {.spec = creation.spec,
                         .facts = creation.facts,
                         .config = creation.config,
                         .program = program,
                         .cgroup = cgroup,
                         .net_pid = getpid(),
                         .library_major = LibraryMajor()};
  BULKHEAD_ASSIGN_OR_RETURN(const std::string config, LxcConfig(inputs, mount_points));
  if (creation.config["linux"].contains("seccomp")) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string policy,
                              SeccompPolicy(creation.config["linux"]["seccomp"]));
    BULKHEAD_RETURN_IF_ERROR(container::WriteBundleFile(place_, kSeccompPolicy, policy));
  }
  BULKHEAD_RETURN_IF_ERROR(MakePipeAt(place_, kReadyPipe));
  BULKHEAD_RETURN_IF_ERROR(MakePipeAt(place_, kGatePipe));
  return container::WriteBundleFile(place_, kLxcConfig, config);
}

absl::StatusOr<pid_t> LxcRuntime::AwaitGate(Run& keeper, int ready) {
  const Deadline deadline = Deadline::After(kCreatePatience);
  pollfd entries[] = {{ready, POLLIN, 0}, {keeper.pidfd(), POLLIN, 0}};
  while (poll(entries, std::size(entries), deadline.PollTimeout()) < 0 && errno == EINTR) {
  }
  char text[16] = {};
  pid_t first = 0;
  if (entries[0].revents != 0 && read(ready, text, sizeof(text) - 1) > 0 &&
      absl::SimpleAtoi(text, &first) && first > 1) {
    return first;
  }
  if (entries[1].revents == 0) return absl::DeadlineExceededError("create container: liblxc hangs");
  return absl::FailedPreconditionError(absl::StrCat("create container: ", LastWords()));
}

// The library's process and its hook out of the cgroups in which it put itself, and those away.
absl::Status LxcRuntime::TakeBack(const std::string& cgroup) {
  BULKHEAD_RETURN_IF_ERROR(MoveToOwnCgroups(KeeperCgroup(cgroup), mode_));
  const UniqueFd cgroups = OpenCgroups();
  return base::RemoveCgroup(cgroups.get(), mode_, KeeperCgroup(cgroup));
}

absl::StatusOr<container::Runtime::Made> LxcRuntime::Create(const Creation& creation) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string cgroup,
                            base::CgroupPath(creation.spec.getCgroup().cStr()));
  State state = {.cgroup = cgroup,
                 .root_id = RootOf(creation.spec),
                 .namespaces = NamespacesOf(creation.spec, creation.facts.cgroup_v2)};
  BULKHEAD_RETURN_IF_ERROR(SaveState(place_, state));
  BULKHEAD_RETURN_IF_ERROR(WriteFiles(creation, cgroup));
  BULKHEAD_RETURN_IF_ERROR(PrepareCpusets(cgroup, mode_));
  BULKHEAD_RETURN_IF_ERROR(ShowLocks(place_.bundle));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd ready, OpenPipe(place_, kReadyPipe, O_RDONLY));
  BULKHEAD_ASSIGN_OR_RETURN(Run keeper, StartKeeper(JobOf(creation, place_, mode_)));
  BULKHEAD_ASSIGN_OR_RETURN(state.first, AwaitGate(keeper, ready.get()));
  state.keeper = keeper.pid();
  state.keeper_start = StartOf(state.keeper);
  BULKHEAD_RETURN_IF_ERROR(TakeBack(cgroup));
  BULKHEAD_RETURN_IF_ERROR(SaveState(place_, state));
  return Made{.first = state.first, .child = keeper.Release()};
}

// "lxc NAME DATE ERROR file - function:line - what": what was wrong first is why the rest was.
std::string LxcRuntime::LastWords() const {
  const absl::StatusOr<std::string> log = container::ReadBundleFile(place_, kLibraryLog);
  if (!log.ok()) return "liblxc does not say why";
  std::string first;
  for (absl::string_view line : absl::StrSplit(*log, '\n', absl::SkipEmpty())) {
    const size_t what = line.find(" - ", line.find(" - ") + 1);
    if (!absl::StrContains(line, " ERROR ") || what == absl::string_view::npos) continue;
    first = std::string(line.substr(what + 3));
    if (!first.empty()) break;
  }
  return first.empty() ? "liblxc does not say why" : container::OneLine(first);
}

absl::Status LxcRuntime::Start() {
  BULKHEAD_ASSIGN_OR_RETURN(const State state, LoadState(place_));
  absl::StatusOr<UniqueFd> gate = OpenPipe(place_, kGatePipe, O_WRONLY);
  if (!gate.ok()) return absl::FailedPreconditionError("start: the container is not at its gate");
  BULKHEAD_ASSIGN_OR_RETURN(const uint64_t own, container::InodeOfProgram(getpid()));
  if (write(gate->get(), "s", 1) != 1) return base::ErrnoStatus("open the gate");
  const Deadline deadline = Deadline::After(kStartPatience);
  for (;;) {
    const absl::StatusOr<uint64_t> now = container::InodeOfProgram(state.first);
    if (now.ok() && *now != own) return absl::OkStatus();
    if (!IsAlive(state)) break;
    if (deadline.Passed()) return absl::DeadlineExceededError("start: liblxc hangs");
    absl::SleepFor(absl::Milliseconds(1));
  }
  // It has ended: a short command, or one that could not be executed.
  const absl::StatusOr<std::string> log = container::ReadBundleFile(place_, kLibraryLog);
  if (!log.ok() || !absl::StrContains(*log, "Failed to spawn container")) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("start container: ", LastWords()));
}

absl::Status LxcRuntime::Settle() {
  BULKHEAD_ASSIGN_OR_RETURN(const State state, LoadState(place_));
  const absl::Status dropped = IsAlive(state) ? DropPowersOf(state.keeper) : absl::OkStatus();
  return absl::IsNotFound(dropped) ? absl::OkStatus() : dropped;
}

void LxcRuntime::Kill() {
  const absl::StatusOr<State> state = LoadState(place_);
  if (!state.ok()) return;
  const UniqueFd cgroups = OpenCgroups();
  base::KillCgroup(cgroups.get(), mode_, state->cgroup).IgnoreError();
}

absl::Status LxcRuntime::Delete(bool) {
  const absl::StatusOr<State> state = LoadState(place_);
  if (absl::IsNotFound(state.status())) return absl::OkStatus();
  if (!state.ok()) return state.status();
  const UniqueFd cgroups = OpenCgroups();
  BULKHEAD_RETURN_IF_ERROR(base::KillCgroup(cgroups.get(), mode_, state->cgroup));
  EndKeeper(*state);
  BULKHEAD_RETURN_IF_ERROR(base::RemoveCgroup(cgroups.get(), mode_, state->cgroup));
  BULKHEAD_RETURN_IF_ERROR(base::RemoveCgroup(cgroups.get(), mode_, KeeperCgroup(state->cgroup)));
  // Another container of the pod may be failing there just now; then that one's turn comes.
  base::RemoveCgroup(cgroups.get(), mode_, PivotCgroup(state->cgroup)).IgnoreError();
  return absl::OkStatus();
}

absl::StatusOr<AttachJob> LxcRuntime::PrepareAttach(schema::Process::Reader process,
                                                    const Streams& streams) {
  BULKHEAD_ASSIGN_OR_RETURN(const State state, LoadState(place_));
  const container::Facts facts = container::ProcessFacts(place_);
  // The same checks as of every command.
  BULKHEAD_RETURN_IF_ERROR(container::ProcessJson(process, facts).status());
  BULKHEAD_RETURN_IF_ERROR(ShowLocks(place_.bundle));
  return AttachJob{.process = process,
                   .bundle = place_.bundle,
                   .container_id = place_.container_id,
                   .keeper = state.keeper,
                   .namespaces = state.namespaces,
                   .oom_score_adj = std::max(process.getOomScoreAdj(), facts.lowest_oom_score_adj),
                   .stream_owner = state.root_id + process.getUser().getUid(),
                   .streams = streams};
}

absl::StatusOr<Run> LxcRuntime::Exec(schema::Process::Reader process, uint64_t mark,
                                     const Streams& streams) {
  BULKHEAD_ASSIGN_OR_RETURN(AttachJob job, PrepareAttach(process, streams));
  job.mark = mark;
  return StartAttach(job);
}

absl::StatusOr<pid_t> LxcRuntime::ExecDetached(schema::Process::Reader process,
                                               const Streams& streams, const std::string& console) {
  BULKHEAD_ASSIGN_OR_RETURN(AttachJob job, PrepareAttach(process, streams));
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pipe, base::MakePipe());
  job.console = console;
  job.report = pipe.second.get();
  BULKHEAD_ASSIGN_OR_RETURN(Run run, StartAttach(job));
  BULKHEAD_ASSIGN_OR_RETURN(const int code, run.Wait(Deadline::After(kStartPatience)));
  if (code != 0) return absl::FailedPreconditionError(absl::StrCat("exec: ", run.Complaint()));
  pid_t pid = -1;
  if (read(pipe.first.get(), &pid, sizeof(pid)) != sizeof(pid) || pid <= 1) {
    return absl::InternalError("exec: nobody said the command's number");
  }
  return pid;
}

}  // namespace bulkhead::lxc
