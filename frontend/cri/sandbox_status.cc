#include "absl/time/clock.h"
#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/info.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status PodSandboxStatus(const Call& call, const v1::PodSandboxStatusRequest& request,
                              v1::PodSandboxStatusResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod", request.pod_sandbox_id()));
  Question<Broker::PodSandboxStatusParams> question;
  question.params().setId(Text(request.pod_sandbox_id()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::podSandboxStatusRequest, question));
  const auto results = answer.results();
  FromPodStatus(results.getPod(), response.mutable_status());
  if (!request.verbose()) return absl::OkStatus();

  (*response.mutable_info())["info"] = PodInfo(results.getPod(), results.getNetworkResult());
  // These are for kubelets that follow GetContainerEvents, which is not there yet; others do not
  // look.
  for (const auto container : results.getContainers()) {
    FromContainerStatus(container, schema::Image::Reader(), response.add_containers_statuses());
  }
  response.set_timestamp(absl::ToUnixNanos(absl::Now()));
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
