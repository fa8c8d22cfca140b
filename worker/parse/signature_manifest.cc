#include "worker/parse/signature_manifest.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status.h"
#include "worker/parse/image_manifest.h"

namespace bulkhead::worker {
namespace {

constexpr char kPayloadType[] = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr char kSignatureKey[] = "dev.cosignproject.cosign/signature";
constexpr uint64_t kMaxPayloadBytes = 64 << 10;

absl::StatusOr<std::string> SignatureOf(absl::string_view field, const Json& layer) {
  const Json* annotations = Member(layer, "annotations");
  if (annotations == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": has no signature"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, StringMember(*annotations, kSignatureKey));
  std::string bytes;
  if (text.size() > 2 * kMaxSignatureBytes || !absl::Base64Unescape(text, &bytes) ||
      bytes.empty() || bytes.size() > kMaxSignatureBytes) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": its signature is no base64 text"));
  }
  return bytes;
}

absl::StatusOr<ManifestSignature> ParseOne(absl::string_view field, const Json& layer) {
  ManifestSignature out;
  BULKHEAD_ASSIGN_OR_RETURN(out.payload, ParseDescriptor(field, layer));
  if (out.payload.size > kMaxPayloadBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(field, ": over 64 KiB"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(out.signature, SignatureOf(field, layer));
  return out;
}

}  // namespace

bool IsSignatureTag(absl::string_view text) {
  return absl::ConsumePrefix(&text, "sha256-") && absl::ConsumeSuffix(&text, ".sig") &&
         base::IsId(text);
}

absl::StatusOr<std::vector<ManifestSignature>> ParseSignatures(const Json& document) {
  BULKHEAD_ASSIGN_OR_RETURN(MediaType type, ClassifyDocument(document, MediaType::UNKNOWN));
  if (type != MediaType::MANIFEST) {
    return absl::InvalidArgumentError("signatures: an index, where a manifest is needed");
  }
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* layers, ArrayMember(document, "layers"));
  std::vector<ManifestSignature> out;
  for (size_t i = 0; i < layers->size() && out.size() < kMaxManifestSignatures; ++i) {
    BULKHEAD_ASSIGN_OR_RETURN(std::string kind, StringMember((*layers)[i], "mediaType"));
    if (kind != kPayloadType) continue;
    BULKHEAD_ASSIGN_OR_RETURN(ManifestSignature one,
                              ParseOne(absl::StrCat("layers[", i, "]"), (*layers)[i]));
    out.push_back(std::move(one));
  }
  if (out.empty()) return absl::InvalidArgumentError("signatures: the manifest holds none");
  return out;
}

}  // namespace bulkhead::worker
