#include "base/status.h"
#include "frontend/cri/convert_auth.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/reference.h"

namespace bulkhead::frontend {
// sandbox_config and the annotations of the image are not read: they tell for which pod the pull
// is, which changes nothing about it, and come from whoever wrote the pod.
absl::Status PullImage(const Call& call, const v1::PullImageRequest& request,
                       v1::PullImageResponse& response) {
  Question<Broker::PullImageParams> question;
  BULKHEAD_RETURN_IF_ERROR(ToAuth(request.auth(), question.params().initAuth()));
  auto reference = question.params().initReference();
  BULKHEAD_RETURN_IF_ERROR(
      validate::ParseReference("image.image", request.image().image(), reference));
  // Beside a digest a tag says nothing, and must not come to name this image: "app:1@sha256:..." is
  // not what the registry has under app:1.
  if (reference.getDigest().getBytes().size() != 0) reference.setTag("");
  BULKHEAD_ASSIGN_OR_RETURN(
      const auto answer,
      AskWhileWanted(call, &Broker::Client::pullImageRequest, question, kLongLimit));
  response.set_image_ref(String(answer.results().getImageId()));
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
