#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker.h"
#include "broker/spawner/worker.h"
#include "schema/worker/cni.capnp.h"
#include "schema/worker/network.capnp.h"

namespace bulkhead::broker {

using TakeCniResult = std::function<absl::Status(schema::CniResult::Reader)>;

// The two halves of CNI, joined by a socket pair: the cni worker thinks, the network worker acts.
// Both start at construction, so that they are up when there is something to do.
class CniPair {
 public:
  // pod: for whom; nullptr: for no pod (load, gc, status).
  static absl::StatusOr<std::unique_ptr<CniPair>> Start(
      Fiber& fiber, Broker& broker, const schema::NetworkAttachment::Reader* pod);
  // Gives cni its job (fds follow its socket) and passes the result, whatever its status is, to
  // take.
  absl::Status Run(Fiber& fiber, capnp::MessageBuilder& job, const std::vector<int>& fds,
                   const TakeCniResult& take);

 private:
  CniPair() = default;
  std::unique_ptr<Worker> network_;
  std::unique_ptr<Worker> cni_;
  base::UniqueFd socket_;  // cni's end
};

// All of it. pod as above.
absl::Status RunCni(Fiber& fiber, Broker& broker, const schema::NetworkAttachment::Reader* pod,
                    capnp::MessageBuilder& job, const std::vector<int>& fds,
                    const TakeCniResult& take);
// For a job that answers with its status alone.
absl::Status RunCni(Fiber& fiber, Broker& broker, const schema::NetworkAttachment::Reader* pod,
                    capnp::MessageBuilder& job);

}  // namespace bulkhead::broker
