#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status RunPodSandbox(const Call& call, const v1::RunPodSandboxRequest& request,
                           v1::RunPodSandboxResponse& response) {
  Question<Broker::RunPodSandboxParams> question;
  BULKHEAD_RETURN_IF_ERROR(ToPodConfig(request.config(), request.runtime_handler(),
                                       question.params().initConfig()));
  BULKHEAD_ASSIGN_OR_RETURN(
      const auto answer,
      Ask(call, &Broker::Client::runPodSandboxRequest, question, kRunPodLimit));
  response.set_pod_sandbox_id(String(answer.results().getId()));
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
