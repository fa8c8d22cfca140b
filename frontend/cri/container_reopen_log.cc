#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status ReopenContainerLog(const Call& call, const v1::ReopenContainerLogRequest& request,
                                v1::ReopenContainerLogResponse&) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  Question<Broker::ReopenContainerLogParams> question;
  question.params().setId(Text(request.container_id()));
  return Ask(call, &Broker::Client::reopenContainerLogRequest, question).status();
}

}  // namespace bulkhead::frontend
