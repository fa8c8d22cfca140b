#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {
namespace {

absl::Status Stop(const Call& call, const std::string& id) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod", id));
  Question<Broker::StopPodSandboxParams> question;
  question.params().setId(Text(id));
  return Ask(call, &Broker::Client::stopPodSandboxRequest, question).status();
}

}  // namespace

absl::Status StopPodSandbox(const Call& call, const v1::StopPodSandboxRequest& request,
                            v1::StopPodSandboxResponse&) {
  return GoneIsFine(Stop(call, request.pod_sandbox_id()));
}

}  // namespace bulkhead::frontend
