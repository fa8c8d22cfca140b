#include "worker/container/job.h"

#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/deadline.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "worker/common/steps.h"
#include "worker/container/exec.h"
#include "worker/container/policy.h"
#include "worker/container/runtime.h"
#include "worker/container/verify.h"

namespace bulkhead::container {
namespace {

using base::Deadline;

// From the runtime's word that it has started the container to the filter that its last step sets.
constexpr absl::Duration kPromisePatience = absl::Seconds(1);
constexpr absl::Duration kSettlePatience = absl::Milliseconds(50);
constexpr size_t kMaxDescriptionBytes = 512 << 10;
constexpr char kUnified[] = "/sys/fs/cgroup/unified";

// crun refuses a node where cgroup2 has controllers beside v1, so this process and its children do
// not see it. The mount is made private first: the unmount must not travel. An own tmpfs takes its
// place, as crun would leave files in the directory below, which is the node's.
absl::Status HideUnified(schema::Host::CgroupMode mode) {
  if (mode != schema::Host::CgroupMode::HYBRID) return absl::OkStatus();
  if (mount(nullptr, kUnified, nullptr, MS_PRIVATE, nullptr) != 0) {
    // Not mounted after all, or not there.
    if (errno == EINVAL || errno == ENOENT) return absl::OkStatus();
    return base::ErrnoStatus("hide the unified cgroup");
  }
  if (umount2(kUnified, MNT_DETACH) != 0) return base::ErrnoStatus("hide the unified cgroup");
  if (mount("tmpfs", kUnified, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=1m") !=
      0) {
    return base::ErrnoStatus("cover the unified cgroup");
  }
  return absl::OkStatus();
}

bool ExecutesTheRuntime(const Promise& promise) {
  const absl::StatusOr<uint64_t> inode = InodeOfProgram(promise.pid);
  return inode.ok() && *inode == promise.runtime_inode;
}

// A signal that comes before the container's program could ask for it is lost, as the kernel drops
// what the first process of a PID namespace does not catch: a stop right after the start would wait
// for its whole grace. A program that only computes is not waited for any longer.
void AwaitSettled(pid_t pid) {
  const Deadline deadline = Deadline::After(kSettlePatience);
  while (!HasSettled(pid) && !deadline.Passed()) absl::SleepFor(absl::Milliseconds(1));
}

// What a container's process executes. Ended: a short command, which nothing can be said about any
// more.
enum class Stage { kRuntime, kProgram, kEnded };

// Polls, as the process may be between the runtime's answer and its own last step. An error: it is
// not as promised, or nobody knows what was.
absl::StatusOr<Stage> AwaitProgram(const Place& place) {
  BULKHEAD_ASSIGN_OR_RETURN(const Promise promise, LoadPromise(place));
  const Deadline deadline = Deadline::After(kPromisePatience);
  for (;;) {
    const absl::Status status = CheckPromise(promise, place.container_id, true);
    if (absl::IsNotFound(status)) return Stage::kEnded;
    if (status.ok() && !ExecutesTheRuntime(promise)) break;
    if (deadline.Passed() && !status.ok()) return status;
    if (deadline.Passed()) return Stage::kRuntime;
    absl::SleepFor(absl::Milliseconds(1));
  }
  AwaitSettled(promise.pid);
  return Stage::kProgram;
}

absl::Status Start(const Place& place, Runtime& runtime) {
  const absl::Status started = runtime.Start();
  worker::MarkStep("runtime start");
  const absl::StatusOr<Stage> stage = AwaitProgram(place);
  worker::MarkStep("compare with the promise");
  // Runtimes refuse a second start, after one whose end the broker did not see.
  const bool runs_already = stage.ok() && *stage == Stage::kProgram;
  if (!started.ok() && !runs_already) return started;
  absl::Status status = stage.status();
  if (runs_already) status = runtime.Settle();
  if (!status.ok()) runtime.Kill();
  return status;
}

absl::Status Delete(schema::LaunchJob::Reader job, const Place& place, const OpenRuntime& open) {
  // The bundle is made before the runtime hears of the container, and goes after the runtime has
  // forgotten it.
  if (absl::IsNotFound(OpenBundle(place).status())) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Runtime> runtime, open(job, place));
  BULKHEAD_RETURN_IF_ERROR(runtime->Delete(false));
  worker::MarkStep("runtime delete");
  const absl::Status removed = RemoveBundle(place);
  worker::MarkStep("remove the bundle");
  return removed;
}

absl::Status Describe(const Place& place, schema::LaunchResult::Builder result) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, ReadBundleFile(place, kConfigFile));
  if (text.size() > kMaxDescriptionBytes) {
    return absl::ResourceExhaustedError("config.json: over 512 KiB");
  }
  result.setStdout(kj::arrayPtr(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  return absl::OkStatus();
}

absl::Status Exec(schema::LaunchJob::Reader job, const Place& place, Runtime& runtime,
                  schema::LaunchResult::Builder result) {
  BULKHEAD_RETURN_IF_ERROR(CheckExec(job, place.run, job.getExec().getProcess()));
  absl::StatusOr<ExecOutput> output = ExecInContainer(job, place, runtime);
  worker::MarkStep("runtime exec");
  if (!output.ok()) return output.status();
  const auto bytes = [](const std::string& text) {
    return kj::arrayPtr(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  };
  result.setStdout(bytes(output->out));
  result.setStderr(bytes(output->err));
  result.setExitCode(output->exit_code);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Created>> Create(schema::LaunchJob::Reader job, const Place& place,
                                                const OpenRuntime& open,
                                                std::vector<base::UniqueFd> fds,
                                                schema::LaunchResult::Builder result) {
  BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Created> container,
                            CreateContainer(job, std::move(fds), place, open));
  result.setPid(container->pid);
  const std::string& digest = container->config_digest;
  result.initConfigDigest().setBytes(
      kj::arrayPtr(reinterpret_cast<const uint8_t*>(digest.data()), digest.size()));
  return container;
}

absl::Status Dispatch(schema::LaunchJob::Reader job, std::vector<base::UniqueFd> fds, int root,
                      int run, const OpenRuntime& open, schema::LaunchResult::Builder result,
                      Lasting* lasting) {
  BULKHEAD_ASSIGN_OR_RETURN(const Place place, FindPlace(job, root, run));
  BULKHEAD_RETURN_IF_ERROR(HideUnified(job.getCgroupMode()));
  worker::MarkStep("hide the unified cgroup");
  switch (job.which()) {
    case schema::LaunchJob::CREATE: {
      BULKHEAD_ASSIGN_OR_RETURN(lasting->created, Create(job, place, open, std::move(fds), result));
      return absl::OkStatus();
    }
    case schema::LaunchJob::START: {
      BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Runtime> runtime, open(job, place));
      return Start(place, *runtime);
    }
    case schema::LaunchJob::EXEC: {
      BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Runtime> runtime, open(job, place));
      return Exec(job, place, *runtime, result);
    }
    case schema::LaunchJob::EXEC_STREAM: {
      BULKHEAD_RETURN_IF_ERROR(CheckExec(job, place.run, job.getExecStream().getProcess()));
      BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Runtime> runtime, open(job, place));
      BULKHEAD_ASSIGN_OR_RETURN(lasting->exec, StreamedExec::Start(job, *runtime));
      return absl::OkStatus();
    }
    case schema::LaunchJob::DELETE:
      return Delete(job, place, open);
    case schema::LaunchJob::DESCRIBE:
      return Describe(place, result);
  }
  return absl::InvalidArgumentError("launch: unknown job");
}

}  // namespace

Lasting RunLaunchJob(schema::LaunchJob::Reader job, std::vector<base::UniqueFd> fds, int root,
                     int run, const OpenRuntime& open, schema::LaunchResult::Builder result) {
  Lasting lasting;
  worker::BeginSteps();
  ipc::WriteStatus(Dispatch(job, std::move(fds), root, run, open, result, &lasting),
                   result.initStatus());
  worker::WriteSteps(result.initSteps(worker::StepCount()));
  return lasting;
}

}  // namespace bulkhead::container
