#pragma once

#include <functional>

#include "absl/status/status.h"
#include "base/unique_fd.h"

namespace bulkhead::streaming {

// Accepts clients and gives each one a process of its own, a socket to the broker included. Reads
// nothing that a client sends.
class Listener {
 public:
  // How many are served at one time; more wait to be accepted.
  static constexpr size_t kMostClients = 512;
  // Serves one client, in its process, and does not return.
  using Serve = std::function<void(base::UniqueFd client, base::UniqueFd broker)>;

  // control: 'B' and a SOCK_SEQPACKET socket to the broker, again whenever there is a new broker.
  Listener(base::UniqueFd control, base::UniqueFd listen, Serve serve)
      : control_(std::move(control)), listen_(std::move(listen)), serve_(std::move(serve)) {}

  // Until the supervisor closes control.
  absl::Status Run();

 private:
  void Accept();
  void Begin(base::UniqueFd client, base::FdPair broker);
  void Reap();
  // False: the supervisor is gone.
  bool TakeBroker();

  base::UniqueFd control_;
  base::UniqueFd listen_;
  base::UniqueFd broker_;
  base::UniqueFd signals_;
  Serve serve_;
  size_t clients_ = 0;
};

}  // namespace bulkhead::streaming
