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

constexpr char kImageField[] = "config.image.image";

// Only a name that can be read in two ways costs a question.
absl::StatusOr<std::string> StoreName(const Call& call, const std::string& text) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> names, ImageNames(kImageField, text));
  if (names.size() == 1) return names[0];
  BULKHEAD_ASSIGN_OR_RETURN(const auto found, FindImage(call, kImageField, text));
  if (!found.has_value()) return absl::NotFoundError(absl::StrCat("image ", text, ": not found"));
  return found->name;
}

}  // namespace

// sandbox_config is not read: it is the pod's configuration once more, and the one that the pod was
// made with counts.
absl::Status CreateContainer(const Call& call, const v1::CreateContainerRequest& request,
                             v1::CreateContainerResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod", request.pod_sandbox_id()));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string image,
                            StoreName(call, request.config().image().image()));
  Question<Broker::CreateContainerParams> question;
  question.params().setPodId(Text(request.pod_sandbox_id()));
  BULKHEAD_RETURN_IF_ERROR(
      ToContainerConfig(request.config(), image, question.params().initConfig()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::createContainerRequest, question));
  response.set_container_id(String(answer.results().getId()));
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
