#include "worker/sandbox/watch.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/status.h"
#include "worker/sandbox/pod_directory.h"

namespace bulkhead::sandbox {
namespace {

constexpr unsigned kMaxPods = 64;  // as many descriptors as a message takes

absl::StatusOr<base::UniqueFd> WatchOne(const std::string& pod, int run) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd pin, OpenPin(run, pod, kNetworkPin));
  if (setns(pin.get(), CLONE_NEWNET) != 0) return base::ErrnoStatus("enter the pod's network");
  base::UniqueFd socket_fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket_fd) return base::ErrnoStatus("route-netlink socket");
  return socket_fd;
}

}  // namespace

absl::StatusOr<std::vector<base::UniqueFd>> WatchNetworks(capnp::List<capnp::Text>::Reader pods,
                                                          int run) {
  if (pods.size() > kMaxPods) return absl::InvalidArgumentError("watchNetworks: too many pods");
  std::vector<base::UniqueFd> sockets;
  for (const auto pod : pods) {
    BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd one, WatchOne(pod.cStr(), run));
    sockets.push_back(std::move(one));
  }
  return sockets;
}

}  // namespace bulkhead::sandbox
