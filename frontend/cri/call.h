#pragma once

#include <algorithm>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cri/v1/api.pb.h"
#include "frontend/broker_client/broker_client.h"
#include "frontend/cri/call_counts.h"
#include "frontend/node.h"
#include "ipc/guard.h"
#include "ipc/status_codec.h"

// What every RPC works with. An RPC is a function of a Call and its request in rpcs.h; it knows no
// gRPC.
namespace bulkhead::frontend {

namespace v1 = ::runtime::v1;
using schema::Broker;

struct Call {
  BrokerClient& broker;
  const Node& node;
  CallCounts& counts;
  absl::Time client_deadline = absl::InfiniteFuture();
  // Whether the client has gone away meanwhile; from any thread. Empty: nobody can tell.
  std::function<bool()> gone = {};
};

// How long the broker may take, whatever the client allows. RunPodSandbox: ten seconds less than
// kubelet waits.
inline constexpr absl::Duration kUsualLimit = absl::Seconds(120);
inline constexpr absl::Duration kRunPodLimit = absl::Seconds(230);
// Where the client may set none: pulls, and the execs of life cycle hooks.
inline constexpr absl::Duration kLongLimit = absl::Hours(3);

// Makes the call and reads the status inside the answer, so that results are never read without it.
template <typename Params, typename Results>
absl::StatusOr<Answer<Results>> Ask(const Call& call, BrokerClient::Method<Params, Results> method,
                                    Question<Params>& question,
                                    absl::Duration limit = kUsualLimit) {
  const absl::Duration left = call.client_deadline - absl::Now();
  absl::StatusOr<Answer<Results>> answer =
      call.broker.Call(method, question, std::min(limit, left));
  if (!answer.ok()) return answer.status();
  absl::Status status = ipc::ReadStatus(answer->results().getStatus());
  if (!status.ok()) return status;
  return answer;
}

// The same, but drops the call when the client goes away: for what goes on only as long as somebody
// wants it.
template <typename Params, typename Results>
absl::StatusOr<Answer<Results>> AskWhileWanted(const Call& call,
                                               BrokerClient::Method<Params, Results> method,
                                               Question<Params>& question, absl::Duration limit) {
  const absl::Duration left = call.client_deadline - absl::Now();
  absl::StatusOr<Answer<Results>> answer =
      call.broker.Call(method, question, std::min(limit, left), call.gone);
  if (!answer.ok()) return answer.status();
  absl::Status status = ipc::ReadStatus(answer->results().getStatus());
  if (!status.ok()) return status;
  return answer;
}

}  // namespace bulkhead::frontend
