#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

absl::Status Stop(const Call& call, const v1::StopContainerRequest& request) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  if (request.timeout() < 0) return validate::Refuse("timeout", "must not be negative");
  Question<Broker::StopContainerParams> question;
  question.params().setId(Text(request.container_id()));
  question.params().setTimeoutSeconds(request.timeout());
  return Ask(call, &Broker::Client::stopContainerRequest, question,
             kUsualLimit + absl::Seconds(request.timeout()))
      .status();
}

}  // namespace

absl::Status StopContainer(const Call& call, const v1::StopContainerRequest& request,
                           v1::StopContainerResponse&) {
  return GoneIsFine(Stop(call, request));
}

}  // namespace bulkhead::frontend
