#include "base/ids.h"
#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/convert_stats.h"
#include "frontend/cri/rpcs.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

bool CanBeId(const std::string& id) { return id.empty() || base::IsIdPrefix(id); }

}  // namespace

absl::Status ContainerStats(const Call& call, const v1::ContainerStatsRequest& request,
                            v1::ContainerStatsResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  Question<Broker::ContainerStatsParams> question;
  question.params().initFilter().setId(Text(request.container_id()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::containerStatsRequest, question));
  const auto found = answer.results().getContainers();
  BULKHEAD_RETURN_IF_ERROR(CheckOne("container", request.container_id(), found.size()));
  FromContainerStats(found[0], call.node.root_dir, response.mutable_stats());
  return absl::OkStatus();
}

absl::Status ListContainerStats(const Call& call, const v1::ListContainerStatsRequest& request,
                                v1::ListContainerStatsResponse& response) {
  const v1::ContainerStatsFilter& filter = request.filter();
  // What cannot be an id matches nothing, which is no error.
  if (!CanBeId(filter.id()) || !CanBeId(filter.pod_sandbox_id())) return absl::OkStatus();
  Question<Broker::ContainerStatsParams> question;
  auto asked = question.params().initFilter();
  asked.setId(Text(filter.id()));
  asked.setPodId(Text(filter.pod_sandbox_id()));
  ToLabels(filter.label_selector(), [&](unsigned size) { return asked.initLabels(size); });
  BULKHEAD_RETURN_IF_ERROR(
      validate::CheckLabels("filter.label_selector", asked.asReader().getLabels()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::containerStatsRequest, question));
  for (const auto container : answer.results().getContainers()) {
    FromContainerStats(container, call.node.root_dir, response.add_stats());
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
