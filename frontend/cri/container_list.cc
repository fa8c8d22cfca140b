#include "base/ids.h"
#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

absl::Status ToFilter(const v1::ContainerFilter& in, schema::ContainerFilter::Builder out) {
  out.setId(Text(in.id()));
  out.setPodId(Text(in.pod_sandbox_id()));
  if (in.has_state()) {
    if (!v1::ContainerState_IsValid(in.state().state())) {
      return validate::Refuse("filter.state", "unknown");
    }
    out.setHasState(true);
    out.setState(static_cast<schema::Container::State>(in.state().state()));
  }
  ToLabels(in.label_selector(), [&](unsigned size) { return out.initLabels(size); });
  return validate::CheckLabels("filter.label_selector", out.asReader().getLabels());
}

bool CanBeId(const std::string& id) { return id.empty() || base::IsIdPrefix(id); }

}  // namespace

absl::Status ListContainers(const Call& call, const v1::ListContainersRequest& request,
                            v1::ListContainersResponse& response) {
  const v1::ContainerFilter& filter = request.filter();
  Question<Broker::ListContainersParams> question;
  BULKHEAD_RETURN_IF_ERROR(ToFilter(filter, question.params().initFilter()));
  // What cannot be an id matches nothing, which is no error.
  if (!CanBeId(filter.id()) || !CanBeId(filter.pod_sandbox_id())) return absl::OkStatus();
  const auto answer = Ask(call, &Broker::Client::listContainersRequest, question);
  if (absl::IsNotFound(answer.status())) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(answer.status());
  for (const auto container : answer->results().getContainers()) {
    FromContainer(container, response.add_containers());
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
