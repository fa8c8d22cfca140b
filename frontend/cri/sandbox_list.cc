#include "base/ids.h"
#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

absl::Status ToFilter(const v1::PodSandboxFilter& in, schema::PodFilter::Builder out) {
  out.setId(Text(in.id()));
  if (in.has_state()) {
    if (!v1::PodSandboxState_IsValid(in.state().state())) {
      return validate::Refuse("filter.state", "unknown");
    }
    out.setHasState(true);
    out.setState(static_cast<schema::Pod::State>(in.state().state()));
  }
  ToLabels(in.label_selector(), [&](unsigned size) { return out.initLabels(size); });
  return validate::CheckLabels("filter.label_selector", out.asReader().getLabels());
}

}  // namespace

absl::Status ListPodSandbox(const Call& call, const v1::ListPodSandboxRequest& request,
                            v1::ListPodSandboxResponse& response) {
  const v1::PodSandboxFilter& filter = request.filter();
  Question<Broker::ListPodSandboxesParams> question;
  BULKHEAD_RETURN_IF_ERROR(ToFilter(filter, question.params().initFilter()));
  // What cannot be an id matches nothing, which is no error.
  if (!filter.id().empty() && !base::IsIdPrefix(filter.id())) return absl::OkStatus();
  const auto answer = Ask(call, &Broker::Client::listPodSandboxesRequest, question);
  if (absl::IsNotFound(answer.status())) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(answer.status());
  for (const auto pod : answer->results().getPods()) FromPod(pod, response.add_items());
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
