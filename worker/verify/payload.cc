#include "worker/verify/payload.h"

#include <capnp/message.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "validate/reference.h"
#include "worker/parse/descriptor.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::worker {
namespace {

// The first is cosign's, the second that of the format's inventors.
bool IsSignature(absl::string_view type) {
  return type == "cosign container image signature" || type == "atomic container signature";
}

absl::Status CheckKeys(const Json& object, absl::Span<const absl::string_view> known) {
  const auto* members = object.get_ptr<const Json::object_t*>();
  if (members == nullptr) return absl::InvalidArgumentError("payload: critical is no object");
  for (const auto& [key, value] : *members) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return absl::InvalidArgumentError("payload: critical has a part that is not known here");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Part(const Json& critical, const char* object, const char* key) {
  static const Json kNone = Json::object();
  const Json* inner = Member(critical, object);
  if (inner == nullptr) inner = &kNone;
  BULKHEAD_RETURN_IF_ERROR(CheckKeys(*inner, {key}));
  return StringMember(*inner, key);
}

absl::StatusOr<std::string> Repository(const std::string& text) {
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  BULKHEAD_RETURN_IF_ERROR(validate::ParseReference("docker-reference", text, reference));
  return absl::StrCat(reference.getRegistry().cStr(), "/", reference.getRepository().cStr());
}

}  // namespace

absl::StatusOr<SignedStatement> ParsePayload(absl::string_view payload) {
  if (payload.size() > kMaxPayloadBytes) {
    return absl::ResourceExhaustedError("payload: over 64 KiB");
  }
  BULKHEAD_ASSIGN_OR_RETURN(Json document, ParseStrictJson(payload));
  const Json* critical = Member(document, "critical");
  if (critical == nullptr) return absl::InvalidArgumentError("payload: has no critical part");
  BULKHEAD_RETURN_IF_ERROR(CheckKeys(*critical, {"identity", "image", "type"}));
  BULKHEAD_ASSIGN_OR_RETURN(std::string type, StringMember(*critical, "type"));
  if (!IsSignature(type)) {
    return absl::InvalidArgumentError("payload: its type is not that of an image's signature");
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::string digest, Part(*critical, "image", "docker-manifest-digest"));
  BULKHEAD_ASSIGN_OR_RETURN(std::string name, Part(*critical, "identity", "docker-reference"));
  SignedStatement out;
  BULKHEAD_ASSIGN_OR_RETURN(out.digest, ParseDigest(digest));
  BULKHEAD_ASSIGN_OR_RETURN(out.repository, Repository(name));
  return out;
}

}  // namespace bulkhead::worker
