#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/operations/container.h"
#include "broker/operations/launch.h"
#include "broker/plan/container_spec.h"
#include "broker/spawner/worker.h"
#include "validate/container.h"

namespace bulkhead::broker {
namespace {

constexpr uint32_t kMaxStreamBytes = 16 << 20;
constexpr absl::Duration kLongest = absl::Hours(2);
// Beyond the asked time: for the runtime's own work.
constexpr absl::Duration kOverhead = absl::Seconds(20);

std::string ToString(capnp::Data::Reader data) {
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

}  // namespace

absl::StatusOr<ExecResult> ExecSync(Fiber& fiber, Broker& broker, const std::string& id,
                                    capnp::List<capnp::Text>::Reader argv, absl::Duration limit) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckArguments("cmd", argv));
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container, broker.state.FindContainer(id));
  auto record = container->record.read();
  if (record.getState() != schema::Container::State::RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->id, ": is not running"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(PodPtr pod, broker.state.FindPod(record.getPodId().cStr()));
  BULKHEAD_RETURN_IF_ERROR(
      AskForStream(broker.policies, pod->record.read(), security::PodStream::kExec));
  if (limit <= absl::ZeroDuration() || limit > kLongest) limit = kLongest;

  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::LaunchJob>();
  FillLaunch(broker, *container, job);
  auto exec = job.initExec();
  BULKHEAD_RETURN_IF_ERROR(PlanExec(container->spec.read(), argv, exec.initProcess()));
  exec.setTimeoutMs(static_cast<uint32_t>(absl::ToInt64Milliseconds(limit)));
  exec.setMaxOutputBytes(kMaxStreamBytes);
  exec.setCgroup(record.getCgroup());
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, LaunchKind(broker, *container), message, {},
                                 {.limit = limit + kOverhead,
                                  .result = {.max_bytes = 2 * size_t{kMaxStreamBytes} + 65536}}));
  ExecResult result;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::LaunchResult>(
      fiber, [&](schema::LaunchResult::Reader answer, std::vector<base::UniqueFd>&) {
        result.out = ToString(answer.getStdout());
        result.err = ToString(answer.getStderr());
        result.exit_code = answer.getExitCode();
        return absl::OkStatus();
      }));
  return result;
}

}  // namespace bulkhead::broker
