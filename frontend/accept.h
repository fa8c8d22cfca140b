#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::frontend {

struct AcceptOptions {
  std::vector<uid_t> allowed_uids;  // besides root
  size_t max_connections = 1024;
};

// Takes connections from a listening unix socket and hands on those whose peer may speak CRI. All
// others are closed before a byte of theirs is read (V51).
class Acceptor {
 public:
  // serve gets each connection, non-blocking and close-on-exec, and closes it when it is over.
  static absl::StatusOr<Acceptor> Make(base::UniqueFd listener, AcceptOptions options,
                                       std::function<void(base::UniqueFd)> serve);

  // Accepts until Stop.
  absl::Status Run();
  // From any thread.
  void Stop();

 private:
  // A connection that was handed on. Its number may since mean another file; its inode tells.
  struct Served {
    int fd;
    ino_t inode;
  };

  Acceptor(base::UniqueFd listener, base::UniqueFd stop, AcceptOptions options,
           std::function<void(base::UniqueFd)> serve);
  void AcceptOne();
  bool IsAllowed(int connection) const;
  void ForgetClosed();

  base::UniqueFd listener_;
  base::UniqueFd stop_;
  AcceptOptions options_;
  std::function<void(base::UniqueFd)> serve_;
  std::vector<Served> served_;
};

}  // namespace bulkhead::frontend
