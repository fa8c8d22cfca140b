#include "base/ids.h"
#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/convert_stats.h"
#include "frontend/cri/rpcs.h"
#include "validate/text.h"

namespace bulkhead::frontend {

absl::Status PodSandboxStats(const Call& call, const v1::PodSandboxStatsRequest& request,
                             v1::PodSandboxStatsResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod", request.pod_sandbox_id()));
  Question<Broker::PodStatsParams> question;
  question.params().initFilter().setId(Text(request.pod_sandbox_id()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::podStatsRequest, question));
  const auto found = answer.results().getPods();
  BULKHEAD_RETURN_IF_ERROR(CheckOne("pod", request.pod_sandbox_id(), found.size()));
  FromPodStats(found[0], call.node.root_dir, response.mutable_stats());
  return absl::OkStatus();
}

absl::Status ListPodSandboxStats(const Call& call, const v1::ListPodSandboxStatsRequest& request,
                                 v1::ListPodSandboxStatsResponse& response) {
  const v1::PodSandboxStatsFilter& filter = request.filter();
  // What cannot be an id matches nothing, which is no error.
  if (!filter.id().empty() && !base::IsIdPrefix(filter.id())) return absl::OkStatus();
  Question<Broker::PodStatsParams> question;
  auto asked = question.params().initFilter();
  asked.setId(Text(filter.id()));
  ToLabels(filter.label_selector(), [&](unsigned size) { return asked.initLabels(size); });
  BULKHEAD_RETURN_IF_ERROR(
      validate::CheckLabels("filter.label_selector", asked.asReader().getLabels()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::podStatsRequest, question));
  for (const auto pod : answer.results().getPods()) {
    FromPodStats(pod, call.node.root_dir, response.add_stats());
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
