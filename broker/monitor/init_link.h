#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "broker/fiber.h"

namespace bulkhead::broker {

// The broker's connection to the first process of a pod's shared PID namespace. Its socket lies
// where monitors' do, under the pod's id.
class InitLink {
 public:
  // Awaits its pidfd (5 s). UNAVAILABLE: it is not there.
  static absl::StatusOr<InitLink> Connect(Fiber& fiber, const std::string& pod_id);

  // For joining its namespace.
  int pidfd() const { return pidfd_.get(); }
  // Ends it, and with it every process of the namespace; waits until the kernel has done so.
  void End(Fiber& fiber);

 private:
  base::UniqueFd socket_;
  base::UniqueFd pidfd_;
};

}  // namespace bulkhead::broker
