#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/info.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status ContainerStatus(const Call& call, const v1::ContainerStatusRequest& request,
                             v1::ContainerStatusResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  Question<Broker::ContainerStatusParams> question;
  question.params().setId(Text(request.container_id()));
  question.params().setVerbose(request.verbose());
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::containerStatusRequest, question));
  const auto results = answer.results();
  FromContainerStatus(results.getContainer(), results.getImage(), response.mutable_status());
  if (request.verbose()) {
    (*response.mutable_info())["info"] = ContainerInfo(results.getContainer(), results.getSpecification());
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
