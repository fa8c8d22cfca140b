#include "broker/monitor/init_link.h"

#include <sys/socket.h>

#include "base/status.h"
#include "broker/monitor/monitor_link.h"
#include "ipc/message.h"

namespace bulkhead::broker {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);

}  // namespace

absl::StatusOr<InitLink> InitLink::Connect(Fiber& fiber, const std::string& pod_id) {
  InitLink link;
  BULKHEAD_ASSIGN_OR_RETURN(link.socket_, ConnectToMonitor(pod_id));
  BULKHEAD_ASSIGN_OR_RETURN(
      ipc::Received state,
      ipc::Receive(link.socket_.get(), ipc::Limits{.max_bytes = 4096, .max_fds = 1},
                   base::Deadline::After(kPatience), fiber.waiter()));
  if (state.fds().size() != 1) return absl::InternalError("the pod's init sent no pidfd");
  link.pidfd_ = std::move(state.fds()[0]);
  return link;
}

void InitLink::End(Fiber& fiber) {
  if (send(socket_.get(), "e", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) return;
  // A pidfd becomes readable when its process, and so the whole namespace, has ended.
  fiber.waiter().Readable(pidfd_.get(), base::Deadline::After(kPatience)).IgnoreError();
}

}  // namespace bulkhead::broker
