#include "worker/container/serve.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "worker/common/worker.h"
#include "worker/container/handover.h"
#include "worker/container/job.h"

namespace bulkhead::container {
namespace {

constexpr absl::Duration kSendPatience = absl::Seconds(30);
// Two streams of a command's output (exec.cc), which the broker takes of this worker alone.
constexpr size_t kMaxAnswerBytes = 33 << 20;
constexpr int kRootFd = worker::kFirstDirFd;
constexpr int kRunFd = worker::kFirstDirFd + 1;

absl::Status SendAnswer(capnp::MessageBuilder& answer, absl::Span<const int> fds = {}) {
  return ipc::Send(worker::kControlFd, answer, fds, base::Deadline::After(kSendPatience),
                   ipc::PollWaiter(), kMaxAnswerBytes);
}

// The answer first, as the monitor cannot give it. Where the broker is gone, nobody knows the
// container: it goes too.
int HandOver(capnp::MessageBuilder& answer, const base::UniqueFd& program,
             std::unique_ptr<Created> container, int cgroup_version) {
  if (!SendAnswer(answer).ok()) return 1;
  container->Keep();
  const absl::Status failed = BecomeMonitor(program, *container, cgroup_version);
  base::Log(base::Severity::kError, "no monitor", {{"error", failed.message()}});
  kill(container->pid, SIGKILL);
  _exit(1);
}

// Where the answer cannot be given nobody has the streams, and dropping the command kills it.
int ServeExec(capnp::MessageBuilder& answer, std::unique_ptr<StreamedExec> exec) {
  if (!SendAnswer(answer, exec->ClientFds()).ok()) return 1;
  close(worker::kControlFd);
  exec->Serve();
  return 0;
}

}  // namespace

int ServeJob(const OpenRuntime& open) {
  ipc::Received received = worker::ReceiveJob(ipc::kMaxFds);
  const absl::StatusOr<base::UniqueFd> program = OpenMonitorProgram();
  capnp::MallocMessageBuilder answer;
  auto result = answer.initRoot<schema::LaunchResult>();
  Lasting lasting;
  int cgroup_version = 1;
  const absl::Status well_formed = ipc::Guarded([&] {
    const auto job = received.As<schema::LaunchJob>();
    if (job.isCreate() && !program.ok()) {
      return ipc::WriteStatus(program.status(), result.initStatus());
    }
    if (job.getCgroupMode() == schema::Host::CgroupMode::V2) cgroup_version = 2;
    lasting = RunLaunchJob(job, std::move(received.fds()), kRootFd, kRunFd, open, result);
  });
  if (!well_formed.ok()) worker::Die("run job", well_formed);
  if (lasting.created) {
    return HandOver(answer, *program, std::move(lasting.created), cgroup_version);
  }
  if (lasting.exec) return ServeExec(answer, std::move(lasting.exec));
  return SendAnswer(answer).ok() ? 0 : 1;
}

}  // namespace bulkhead::container
