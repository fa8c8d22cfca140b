#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/image_name.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {
namespace {

// Only a name that can be read in two ways costs a question.
absl::StatusOr<std::string> StoreName(const Call& call, const std::string& field,
                                      const std::string& text) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> names, ImageNames(field, text));
  if (names.size() == 1) return names[0];
  BULKHEAD_ASSIGN_OR_RETURN(const auto found, FindImage(call, field, text));
  if (!found.has_value()) {
    return absl::NotFoundError(absl::StrCat(field, ": image ", text, ": not found"));
  }
  return found->name;
}

absl::StatusOr<StoreNames> FindStoreNames(const Call& call, const v1::ContainerConfig& config) {
  StoreNames names;
  BULKHEAD_ASSIGN_OR_RETURN(names.image,
                            StoreName(call, "config.image.image", config.image().image()));
  for (int i = 0; i < config.mounts_size(); ++i) {
    if (!config.mounts(i).has_image()) continue;
    BULKHEAD_ASSIGN_OR_RETURN(names.mounts[i],
                              StoreName(call, absl::StrCat("config.mounts[", i, "].image.image"),
                                        config.mounts(i).image().image()));
  }
  return names;
}

// sandbox_config is the pod's configuration once more. The one that the pod was made with counts;
// this one only says which pod the client means.
void ToPodIdentity(const v1::PodSandboxMetadata& in, schema::PodIdentity::Builder out) {
  out.setName(Text(in.name()));
  out.setNamespace(Text(in.namespace_()));
  out.setUid(Text(in.uid()));
  out.setAttempt(in.attempt());
}

}  // namespace

absl::Status CreateContainer(const Call& call, const v1::CreateContainerRequest& request,
                             v1::CreateContainerResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod", request.pod_sandbox_id()));
  BULKHEAD_ASSIGN_OR_RETURN(const StoreNames names, FindStoreNames(call, request.config()));
  Question<Broker::CreateContainerParams> question;
  question.params().setPodId(Text(request.pod_sandbox_id()));
  if (request.has_sandbox_config()) {
    ToPodIdentity(request.sandbox_config().metadata(), question.params().initPod());
  }
  BULKHEAD_RETURN_IF_ERROR(
      ToContainerConfig(request.config(), names, question.params().initConfig()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::createContainerRequest, question));
  response.set_container_id(String(answer.results().getId()));
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
