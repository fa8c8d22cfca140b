#pragma once

#include <deque>
#include <optional>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "ipc/spawn_protocol.h"

namespace bulkhead::spawner {

// The broker's socket: requests in, each checked for its form; replies out, in order, never
// blocking.
class Connection {
 public:
  Connection(base::UniqueFd socket, uint64_t number)
      : socket_(std::move(socket)), number_(number) {}

  struct Request {
    ipc::SpawnRequest request;
    base::UniqueFd control;
  };
  // One request; nothing where none waits. UNAVAILABLE: the broker is gone. DATA_LOSS: a violation.
  absl::StatusOr<std::optional<Request>> Receive();

  // UNAVAILABLE: the broker is gone. RESOURCE_EXHAUSTED: it does not read.
  absl::Status Send(const ipc::SpawnReply& reply);
  absl::Status Flush();
  bool Backlogged() const { return !backlog_.empty(); }

  int fd() const { return socket_.get(); }
  uint64_t number() const { return number_; }

 private:
  base::UniqueFd socket_;
  uint64_t number_;
  uint64_t last_id_ = 0;
  std::deque<ipc::SpawnReply> backlog_;
};

// One message of exactly size bytes with at most one fd. 0: the peer closed; -1 with errno
// otherwise (EAGAIN: none waits; EBADMSG: another size, or more fds, all of which are closed).
ssize_t ReceiveWithFd(int socket, void* bytes, size_t size, base::UniqueFd* fd);

}  // namespace bulkhead::spawner
