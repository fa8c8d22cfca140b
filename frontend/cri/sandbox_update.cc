#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/container.h"

namespace bulkhead::frontend {

absl::Status UpdatePodSandboxResources(const Call& call,
                                       const v1::UpdatePodSandboxResourcesRequest& request,
                                       v1::UpdatePodSandboxResourcesResponse&) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod sandbox", request.pod_sandbox_id()));
  Question<Broker::UpdatePodResourcesParams> question;
  question.params().setId(Text(request.pod_sandbox_id()));
  auto overhead = question.params().initOverhead();
  ToResources(request.overhead(), overhead);
  BULKHEAD_RETURN_IF_ERROR(validate::CheckResources("overhead", overhead.asReader()));
  auto resources = question.params().initResources();
  ToResources(request.resources(), resources);
  BULKHEAD_RETURN_IF_ERROR(validate::CheckResources("resources", resources.asReader()));
  return Ask(call, &Broker::Client::updatePodResourcesRequest, question).status();
}

}  // namespace bulkhead::frontend
