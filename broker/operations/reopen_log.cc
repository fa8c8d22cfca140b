#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/operations/container.h"
#include "broker/spawner/worker.h"
#include "schema/worker/log.capnp.h"

namespace bulkhead::broker {
namespace {

absl::StatusOr<base::UniqueFd> OpenLog(Fiber& fiber, Broker& broker, capnp::Text::Reader path) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::LogJob>().setPath(path);
  BULKHEAD_ASSIGN_OR_RETURN(auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kLog,
                                                       message, {}, {.result = {.max_fds = 1}}));
  base::UniqueFd log;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::LogResult>(
      fiber, [&log](schema::LogResult::Reader, std::vector<base::UniqueFd>& fds) {
        if (fds.size() != 1) return absl::InternalError("log: no file came");
        log = std::move(fds[0]);
        return absl::OkStatus();
      }));
  return log;
}

}  // namespace

absl::Status ReopenLog(Fiber& fiber, Broker& broker, const std::string& id) {
  BULKHEAD_ASSIGN_OR_RETURN(ContainerPtr container, broker.state.FindContainer(id));
  // Not ordered with other operations on it: a stop waits for its grace, rotation must not.
  auto record = container->record.read();
  if (record.getState() != schema::Container::State::RUNNING || container->monitor == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->id, ": is not running"));
  }
  if (record.getLogPath().size() == 0) return absl::OkStatus();  // it has no log
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd log, OpenLog(fiber, broker, record.getLogPath()));
  const std::shared_ptr<MonitorLink> monitor = container->monitor;
  return monitor->ReopenLog(fiber, log.get());
}

}  // namespace bulkhead::broker
