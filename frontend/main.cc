// SECURITY: the frontend holds the CRI listening socket and one connection to the broker; no file,
// no capability, no network. Whoever may open the CRI socket talks to it, and it parses their
// HTTP/2 and protobuf. An attacker who owns it can ask of the broker what schema/broker.capnp
// offers, which the broker checks again, and can see and forge what kubelet and the broker tell
// each other: the environment of new containers among it. Nothing else of the node.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "base/allocator.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "frontend/accept.h"
#include "frontend/broker_client/broker_client.h"
#include "frontend/cri/call.h"
#include "frontend/cri/call_counts.h"
#include "frontend/node.h"
#include "frontend/server.h"
#include "security/enforce/enter.h"
#include "security/profile.h"

namespace bulkhead::frontend {
namespace {

constexpr int kBrokerFd = 3;
constexpr int kListenerFd = 4;
constexpr int kConfigFd = 5;
// For the answers that tell the clients of calls under way that the broker has gone.
constexpr absl::Duration kLastWords = absl::Seconds(1);

[[noreturn]] void Die(const char* what, const absl::Status& status) {
  base::Log(base::Severity::kError, what, {{"error", status.message()}});
  _exit(1);
}

int Main() {
  base::SetLogProcess("frontend");
  base::GiveFreedMemoryBack();
  security::EnterOrDie(security::kFrontendProfile);
  signal(SIGPIPE, SIG_IGN);
  // The first process of a pid namespace is not ended by a signal that it does not handle.
  signal(SIGTERM, [](int) { _exit(0); });

  const absl::StatusOr<Node> node = ReadNode(kConfigFd);
  if (!node.ok()) Die("read configuration", node.status());
  close(kConfigFd);

  SetUpGrpc();
  Server* server = nullptr;
  const auto serve = [&server](base::UniqueFd connection) { server->Serve(std::move(connection)); };
  absl::StatusOr<Acceptor> acceptor =
      Acceptor::Make(base::UniqueFd(kListenerFd), {.allowed_uids = node->allowed_uids}, serve);
  if (!acceptor.ok()) Die("listen", acceptor.status());

  BrokerClient broker(base::UniqueFd(kBrokerFd), [&acceptor] { acceptor->Stop(); });
  CallCounts counts;
  Server serving({.broker = broker, .node = *node, .counts = counts});
  server = &serving;
  base::Log(base::Severity::kInfo, "serving CRI");
  const absl::Status ended = acceptor->Run();
  if (!ended.ok()) Die("accept", ended);

  // A frontend without a broker is of no use; the supervisor starts the next one with a new
  // connection.
  base::Log(base::Severity::kError, "the broker has gone");
  serving.Shutdown(kLastWords);
  _exit(1);
}

}  // namespace
}  // namespace bulkhead::frontend

int main() { return bulkhead::frontend::Main(); }
