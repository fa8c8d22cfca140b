#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/image_name.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

// An image that is not there is removed already.
absl::Status RemoveImage(const Call& call, const v1::RemoveImageRequest& request,
                         v1::RemoveImageResponse&) {
  BULKHEAD_ASSIGN_OR_RETURN(const auto found,
                            FindImage(call, "image.image", request.image().image()));
  if (!found.has_value()) return absl::OkStatus();
  Question<Broker::RemoveImageParams> question;
  question.params().setImage(Text(found->name));
  return GoneIsFine(Ask(call, &Broker::Client::removeImageRequest, question).status());
}

}  // namespace bulkhead::frontend
