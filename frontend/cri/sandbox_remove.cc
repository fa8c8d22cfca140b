#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {
namespace {

absl::Status Remove(const Call& call, const std::string& id) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod", id));
  Question<Broker::RemovePodSandboxParams> question;
  question.params().setId(Text(id));
  return Ask(call, &Broker::Client::removePodSandboxRequest, question).status();
}

}  // namespace

absl::Status RemovePodSandbox(const Call& call, const v1::RemovePodSandboxRequest& request,
                              v1::RemovePodSandboxResponse&) {
  return GoneIsFine(Remove(call, request.pod_sandbox_id()));
}

}  // namespace bulkhead::frontend
