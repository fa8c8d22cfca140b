#include "base/status.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/network.h"

namespace bulkhead::frontend {

absl::Status RuntimeConfig(const Call& call, const v1::RuntimeConfigRequest&,
                           v1::RuntimeConfigResponse& response) {
  response.mutable_linux()->set_cgroup_driver(call.node.systemd_cgroups ? v1::SYSTEMD
                                                                        : v1::CGROUPFS);
  return absl::OkStatus();
}

// kubelet tells the node's pod CIDR, for networks that declare CNI's capability ipRanges.
absl::Status UpdateRuntimeConfig(const Call& call, const v1::UpdateRuntimeConfigRequest& request,
                                 v1::UpdateRuntimeConfigResponse&) {
  if (!request.runtime_config().has_network_config()) return absl::OkStatus();
  const std::string& cidr = request.runtime_config().network_config().pod_cidr();
  BULKHEAD_RETURN_IF_ERROR(
      validate::ReadPodCidr("runtime_config.network_config.pod_cidr", cidr).status());
  Question<Broker::UpdateRuntimeConfigParams> question;
  question.params().setPodCidr(Text(cidr));
  return Ask(call, &Broker::Client::updateRuntimeConfigRequest, question).status();
}

}  // namespace bulkhead::frontend
