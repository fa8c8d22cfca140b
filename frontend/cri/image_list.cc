#include "base/status.h"
#include "frontend/cri/convert.h"
#include "frontend/cri/image_name.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status ListImages(const Call& call, const v1::ListImagesRequest& request,
                        v1::ListImagesResponse& response) {
  const std::string& wanted = request.filter().image().image();
  if (!wanted.empty()) {
    BULKHEAD_ASSIGN_OR_RETURN(const auto found, FindImage(call, "filter.image.image", wanted));
    if (found.has_value()) FromImage(found->answer.results().getImage(), response.add_images());
    return absl::OkStatus();
  }
  Question<Broker::ListImagesParams> question;
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::listImagesRequest, question));
  for (const auto image : answer.results().getImages()) FromImage(image, response.add_images());
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
