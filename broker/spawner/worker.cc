#include "broker/spawner/worker.h"

#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::broker {
namespace {

absl::string_view KindName(security::Kind kind) {
  const security::Profile* profile = security::FindProfile(kind);
  return profile == nullptr ? "unknown" : profile->name;
}

absl::Duration LimitOf(security::Kind kind, absl::Duration asked) {
  if (asked > absl::ZeroDuration()) return asked;
  uint32_t wall = security::FindProfile(kind)->limits.wall_seconds;
  // One that lives on after its answer has no wall limit, but its answer has.
  return wall == 0 ? absl::Minutes(2) : absl::Seconds(wall);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Begin(Fiber& fiber, SpawnerClient& spawner,
                                                      security::Kind kind, Options options) {
  TimedStep step = fiber.Step(KindName(kind));
  TimedStep start = fiber.Step(absl::StrCat(KindName(kind), ": start"));
  base::Deadline deadline = base::Deadline::After(LimitOf(kind, options.limit));
  BULKHEAD_ASSIGN_OR_RETURN(SpawnerClient::Started started, spawner.Obtain(fiber, kind));
  return std::unique_ptr<Worker>(new Worker(spawner, kind, kj::mv(started), deadline,
                                            options.result, std::move(step), std::move(start)));
}

absl::Status Worker::Give(Fiber& fiber, capnp::MessageBuilder& job, absl::Span<const int> fds) {
  BULKHEAD_RETURN_IF_ERROR(fiber.AwaitIntent());
  absl::Status sent = ipc::Send(control_.get(), job, fds, deadline_, fiber.waiter());
  return sent.ok() ? sent : Explain(fiber, sent);
}

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(Fiber& fiber, SpawnerClient& spawner,
                                                      security::Kind kind,
                                                      capnp::MessageBuilder& job,
                                                      absl::Span<const int> fds, Options options) {
  BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker, Begin(fiber, spawner, kind, options));
  BULKHEAD_RETURN_IF_ERROR(worker->Give(fiber, job, fds));
  return worker;
}

Worker::Worker(SpawnerClient& spawner, security::Kind kind, SpawnerClient::Started started,
               base::Deadline deadline, ipc::Limits limits, TimedStep step, TimedStep start)
    : spawner_(spawner),
      kind_(kind),
      control_(std::move(started.control)),
      deadline_(deadline),
      limits_(limits),
      step_(std::move(step)),
      start_(std::move(start)),
      id_(started.id),
      ended_(kj::Promise<void>(kj::READY_NOW).fork()),
      exit_(std::make_shared<WorkerExit>()) {
  ended_ = started.exit.then([exit = exit_](WorkerExit how) { *exit = how; }).fork();
}

Worker::~Worker() {
  if (!answered_) spawner_.Kill(id_);
}

absl::string_view Worker::name() const { return KindName(kind_); }

absl::StatusOr<ipc::Received> Worker::Receive(Fiber& fiber) {
  // The hello says that the worker is confined; the answer follows.
  auto hello = ipc::Receive(control_.get(), ipc::Limits{.max_bytes = 0}, deadline_, fiber.waiter());
  if (!hello.ok()) return Explain(fiber, hello.status());
  start_.End();
  auto answer = ipc::Receive(control_.get(), limits_, deadline_, fiber.waiter());
  if (!answer.ok()) return Explain(fiber, answer.status());
  answered_ = true;
  step_.End();
  return answer;
}

absl::Status Worker::Explain(Fiber& fiber, const absl::Status& why) {
  std::string name = absl::StrCat("worker ", KindName(kind_), " ");
  if (why.code() != absl::StatusCode::kUnavailable) {
    spawner_.Kill(id_);
    if (absl::IsDeadlineExceeded(why)) {
      return absl::DeadlineExceededError(absl::StrCat(name, "did not answer in time"));
    }
    base::Log(base::Severity::kError, "protocol violation by a worker",
              {{"worker", KindName(kind_)}, {"what", why.message()}});
    return absl::InternalError(absl::StrCat(name, "broke the protocol"));
  }
  WaitForExit(fiber);
  if (cancelled_) return absl::CancelledError(absl::StrCat(name, "is not needed any more"));
  absl::Status status = absl::InternalError(absl::StrCat(name, exit_->Describe()));
  base::Log(base::Severity::kError, "worker died", {{"what", status.message()}});
  return exit_->OverLimit() ? absl::ResourceExhaustedError(status.message()) : status;
}

void Worker::Cancel() {
  cancelled_ = true;
  spawner_.Kill(id_);
}

void Worker::WaitForExit(Fiber& fiber) {
  if (fiber.WaitFor(ended_.addBranch(), absl::Seconds(1))) return;
  spawner_.Kill(id_);
  fiber.WaitFor(ended_.addBranch(), absl::Seconds(5));
}

}  // namespace bulkhead::broker
