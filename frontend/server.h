#pragma once

#include <memory>

#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "frontend/cri/call.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace bulkhead::frontend {

// Called once, before the first Server, with the log already set up: gRPC's own lines go to our
// log.
void SetUpGrpc();

// The gRPC server of both services. It listens nowhere: connections are given to it.
class Server {
 public:
  // prototype: see instrumented_service.h.
  explicit Server(const Call& prototype);
  ~Server();

  // Takes over a connected, non-blocking stream socket.
  void Serve(base::UniqueFd connection);
  // Refuses new calls and gives those under way this long.
  void Shutdown(absl::Duration grace);

 private:
  std::unique_ptr<grpc::Service> runtime_;
  std::unique_ptr<grpc::Service> images_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bulkhead::frontend
