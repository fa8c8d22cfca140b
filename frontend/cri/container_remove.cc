#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {
namespace {

absl::Status Remove(const Call& call, const std::string& id) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", id));
  Question<Broker::RemoveContainerParams> question;
  question.params().setId(Text(id));
  return Ask(call, &Broker::Client::removeContainerRequest, question).status();
}

}  // namespace

absl::Status RemoveContainer(const Call& call, const v1::RemoveContainerRequest& request,
                             v1::RemoveContainerResponse&) {
  return GoneIsFine(Remove(call, request.container_id()));
}

}  // namespace bulkhead::frontend
