#include "frontend/cri/image_name.h"

#include <utility>

#include "absl/strings/match.h"
#include "base/status.h"
#include "frontend/cri/convert_common.h"
#include "validate/reference.h"
#include "validate/text.h"

namespace bulkhead::frontend {

absl::StatusOr<std::vector<std::string>> ImageNames(absl::string_view field,
                                                    const std::string& text) {
  const bool id = validate::LooksLikeImageId(text);
  if (absl::StartsWith(text, "sha256:")) {
    if (!id) return validate::Refuse(field, "not an image id");
    return std::vector<std::string>{text};
  }
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  const absl::Status parsed = validate::ParseReference(field, text, reference);
  std::vector<std::string> names;
  if (parsed.ok()) {
    const std::string digest = String(reference.getDigest().getBytes());
    names.push_back(digest.empty() ? validate::FormatReference(reference)
                                   : validate::FormatDigestReference(reference, digest));
  }
  if (id) names.push_back(text);
  if (names.empty()) return parsed;
  return names;
}

absl::StatusOr<std::optional<FoundImage>> FindImage(const Call& call, absl::string_view field,
                                                    const std::string& text, bool verbose) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> names, ImageNames(field, text));
  for (const std::string& name : names) {
    Question<Broker::ImageStatusParams> question;
    question.params().setImage(Text(name));
    question.params().setVerbose(verbose);
    BULKHEAD_ASSIGN_OR_RETURN(auto answer,
                              Ask(call, &Broker::Client::imageStatusRequest, question));
    if (answer.results().getFound()) return FoundImage{name, std::move(answer)};
  }
  return std::nullopt;
}

}  // namespace bulkhead::frontend
