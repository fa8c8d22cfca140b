#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status StartContainer(const Call& call, const v1::StartContainerRequest& request,
                            v1::StartContainerResponse&) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  Question<Broker::StartContainerParams> question;
  question.params().setId(Text(request.container_id()));
  return Ask(call, &Broker::Client::startContainerRequest, question).status();
}

}  // namespace bulkhead::frontend
