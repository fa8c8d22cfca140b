#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "frontend/accept.h"
#include "frontend/broker_client/broker_client.h"
#include "frontend/cri/call_counts.h"
#include "frontend/node.h"
#include "frontend/server.h"
#include "frontend/testing/fake_broker.h"

namespace bulkhead::frontend {

// A socket at path that everybody may connect to: who is served is not for its mode to decide.
base::UniqueFd ListenAt(const std::string& path);
// gRPC over a connection of its own.
std::shared_ptr<grpc::Channel> ConnectTo(const std::string& path);

// The frontend without its main: a listening socket, the acceptor, the gRPC server and the client
// of a FakeBroker.
class Harness {
 public:
  explicit Harness(AcceptOptions options = {});
  ~Harness();

  FakeBroker& broker() { return *broker_; }
  CallCounts& counts() { return counts_; }
  const std::string& path() const { return path_; }
  bool broker_lost() const { return lost_; }

  std::shared_ptr<grpc::Channel> Connect() { return ConnectTo(path_); }
  // A connected socket without gRPC.
  base::UniqueFd ConnectRaw();

 private:
  std::string directory_;
  std::string path_;
  std::unique_ptr<FakeBroker> broker_;
  CallCounts counts_;
  Node node_;
  std::atomic<bool> lost_ = false;
  std::unique_ptr<BrokerClient> client_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
  std::thread accepting_;
};

}  // namespace bulkhead::frontend
