#include "base/status.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/reference.h"

namespace bulkhead::frontend {
namespace {

bool IsEmpty(const v1::AuthConfig& auth) {
  return auth.username().empty() && auth.password().empty() && auth.auth().empty() &&
         auth.identity_token().empty() && auth.registry_token().empty();
}

}  // namespace

// sandbox_config is not read: it tells for which pod the pull is, which changes nothing about it.
absl::Status PullImage(const Call& call, const v1::PullImageRequest& request,
                       v1::PullImageResponse& response) {
  if (!IsEmpty(request.auth())) {
    return absl::UnimplementedError("auth: registries with credentials are not supported yet");
  }
  Question<Broker::PullImageParams> question;
  auto reference = question.params().initReference();
  BULKHEAD_RETURN_IF_ERROR(
      validate::ParseReference("image.image", request.image().image(), reference));
  // Beside a digest a tag says nothing, and must not come to name this image: "app:1@sha256:..." is
  // not what the registry has under app:1.
  if (reference.getDigest().getBytes().size() != 0) reference.setTag("");
  BULKHEAD_ASSIGN_OR_RETURN(
      const auto answer, Ask(call, &Broker::Client::pullImageRequest, question, kLongLimit));
  response.set_image_ref(String(answer.results().getImageId()));
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
