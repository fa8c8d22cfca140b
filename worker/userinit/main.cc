// SECURITY: userinit starts as root with what it takes to give that up, in an empty root. Only the
// broker talks to it, with a socket and a user namespace. It makes a process 1 in that namespace,
// and both become init: own uid (there, one of the pod's), no capability, init's filter. Process 1
// is in the pod's reach and has nothing but standard streams; its parent is out of that reach,
// reads a byte from the broker, and knows it by its uid, which from within the pod's user namespace
// nobody could. An attacker who owns either can end the pod's containers; one who owns it before
// can enter user namespaces of pods that the broker gives it.
#include "base/log.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "schema/worker/userinit.capnp.h"
#include "security/enforce/enter.h"
#include "worker/common/worker.h"
#include "worker/init/init.h"
#include "worker/userinit/start.h"

namespace bulkhead::userinit {
namespace {

struct Inputs {
  std::string pod_id;
  base::UniqueFd listener;
  base::UniqueFd first;  // pidfd
};

absl::Status Start(std::vector<base::UniqueFd> fds, Inputs* inputs) {
  if (fds.size() != 2) {
    return absl::InvalidArgumentError("userinit: not a socket and a user namespace");
  }
  inputs->listener = std::move(fds[0]);
  BULKHEAD_ASSIGN_OR_RETURN(inputs->first, StartFirstProcess(fds[1].get()));
  fds.clear();
  security::BecomeOrDie(security::kInitProfile);
  base::SetLogProcess(security::kInitProfile.name);
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::userinit

int main() {
  using namespace bulkhead;
  userinit::Inputs inputs;
  worker::Begin(security::kUserinitProfile);
  worker::ServeJob<schema::UserinitJob, schema::UserinitResult>(
      2, [&](schema::UserinitJob::Reader job, std::vector<base::UniqueFd> fds,
             schema::UserinitResult::Builder result) {
        inputs.pod_id = job.getPodId().cStr();
        ipc::WriteStatus(userinit::Start(std::move(fds), &inputs), result.initStatus());
        return worker::JobResult{};
      });
  close(worker::kControlFd);  // it outlives the broker
  if (!inputs.first) return 1;
  init::Serve(inputs.pod_id, std::move(inputs.listener), std::move(inputs.first));
  return 0;
}
