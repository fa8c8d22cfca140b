#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "broker/broker.h"
#include "broker/streaming/tokens.h"

// Exec, attach and port-forward. The first half answers the CRI call with a URL; the second is
// asked for by the process that has come with the URL's token.
namespace bulkhead::broker {

struct WantedStreams {
  bool tty = false;
  bool in = false;
  bool out = false;
  bool err = false;
};

// The URL. FAILED_PRECONDITION: the container does not run, the pod is not ready.
// PERMISSION_DENIED: a port-forward into the node's network, which the configuration does not
// allow.
absl::StatusOr<std::string> OfferExec(Broker& broker, const std::string& id,
                                      capnp::List<capnp::Text>::Reader argv,
                                      const WantedStreams& wanted);
absl::StatusOr<std::string> OfferAttach(Broker& broker, const std::string& id,
                                        const WantedStreams& wanted);
absl::StatusOr<std::string> OfferPortForward(Broker& broker, const std::string& pod_id,
                                             const std::vector<uint16_t>& ports);

// The descriptors that schema/streaming.capnp names.
absl::StatusOr<std::vector<base::UniqueFd>> StartExec(Fiber& fiber, Broker& broker,
                                                      const StreamGrant& grant);
absl::StatusOr<std::vector<base::UniqueFd>> StartAttach(Fiber& fiber, Broker& broker,
                                                        const StreamGrant& grant);
// A socket that is connected to this port of the pod. UNAVAILABLE: nobody listens.
absl::StatusOr<base::UniqueFd> DialPod(Fiber& fiber, Broker& broker, const std::string& pod_id,
                                       uint16_t port);

}  // namespace bulkhead::broker
