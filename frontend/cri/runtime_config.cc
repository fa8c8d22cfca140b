#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status RuntimeConfig(const Call& call, const v1::RuntimeConfigRequest&,
                           v1::RuntimeConfigResponse& response) {
  response.mutable_linux()->set_cgroup_driver(call.node.systemd_cgroups ? v1::SYSTEMD
                                                                        : v1::CGROUPFS);
  return absl::OkStatus();
}

// kubelet tells the node's pod CIDR. Nobody here uses it: CNI's configuration holds its own ranges.
absl::Status UpdateRuntimeConfig(const Call&, const v1::UpdateRuntimeConfigRequest&,
                                 v1::UpdateRuntimeConfigResponse&) {
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
