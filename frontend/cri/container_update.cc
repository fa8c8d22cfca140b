#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/container.h"
#include "validate/text.h"

namespace bulkhead::frontend {

// Annotations of the request never mean anything here: only typed fields reach a container.
absl::Status UpdateContainerResources(const Call& call,
                                      const v1::UpdateContainerResourcesRequest& request,
                                      v1::UpdateContainerResourcesResponse&) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  if (request.has_windows()) return validate::Refuse("windows", "this node runs Linux containers");
  Question<Broker::UpdateContainerResourcesParams> question;
  question.params().setId(Text(request.container_id()));
  auto resources = question.params().initResources();
  ToResources(request.linux(), resources);
  BULKHEAD_RETURN_IF_ERROR(validate::CheckResources("linux", resources.asReader()));
  return Ask(call, &Broker::Client::updateContainerResourcesRequest, question).status();
}

}  // namespace bulkhead::frontend
