#include "worker/parse/descriptor.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kShownBytes = 100;

struct KnownType {
  absl::string_view text;
  MediaType type;
};

constexpr KnownType kKnownTypes[] = {
    {"application/vnd.oci.image.index.v1+json", MediaType::INDEX},
    {"application/vnd.docker.distribution.manifest.list.v2+json", MediaType::INDEX},
    {"application/vnd.oci.image.manifest.v1+json", MediaType::MANIFEST},
    {"application/vnd.docker.distribution.manifest.v2+json", MediaType::MANIFEST},
    {"application/vnd.oci.image.config.v1+json", MediaType::CONFIG},
    {"application/vnd.docker.container.image.v1+json", MediaType::CONFIG},
    {"application/vnd.oci.image.layer.v1.tar", MediaType::LAYER_TAR},
    {"application/vnd.docker.image.rootfs.diff.tar", MediaType::LAYER_TAR},
    {"application/vnd.oci.image.layer.v1.tar+gzip", MediaType::LAYER_TAR_GZIP},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", MediaType::LAYER_TAR_GZIP},
    {"application/vnd.oci.image.layer.v1.tar+zstd", MediaType::LAYER_TAR_ZSTD},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", MediaType::LAYER_TAR_ZSTD},
};

}  // namespace

absl::StatusOr<std::string> ParseDigest(absl::string_view text) {
  absl::string_view hex = text;
  if (absl::ConsumePrefix(&hex, "sha256:") && base::IsId(hex)) return base::FromHex(hex);
  return absl::InvalidArgumentError(absl::StrCat("digest is not sha256:<64 hex digits>: ",
                                                 absl::CHexEscape(text.substr(0, kShownBytes))));
}

MediaType ParseMediaType(absl::string_view text) {
  for (const KnownType& known : kKnownTypes) {
    if (known.text == text) return known.type;
  }
  return MediaType::UNKNOWN;
}

bool IsForeignLayer(absl::string_view media_type) {
  return absl::StartsWith(media_type, "application/vnd.docker.image.rootfs.foreign.") ||
         absl::StartsWith(media_type, "application/vnd.oci.image.layer.nondistributable.");
}

absl::StatusOr<ContentDescriptor> ParseDescriptor(absl::string_view field, const Json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(field, ": is no object"));
  ContentDescriptor out;
  BULKHEAD_ASSIGN_OR_RETURN(std::string media_type, StringMember(json, "mediaType"));
  out.media_type = ParseMediaType(media_type);
  BULKHEAD_ASSIGN_OR_RETURN(std::string digest, StringMember(json, "digest"));
  absl::StatusOr<std::string> bytes = ParseDigest(digest);
  if (!bytes.ok()) return base::Annotate(bytes.status(), field);
  out.digest = *bytes;
  const Json* size = Member(json, "size");
  if (size == nullptr || !size->is_number_unsigned()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": size is no whole number"));
  }
  out.size = *size->get_ptr<const Json::number_unsigned_t*>();
  if (out.size == 0 || out.size > kMaxLayerBytes) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": size ", out.size, " is impossible"));
  }
  return out;
}

void WriteDigest(absl::string_view digest, schema::Digest::Builder to) {
  to.setBytes(kj::arrayPtr(reinterpret_cast<const kj::byte*>(digest.data()), digest.size()));
}

void WriteDescriptor(const ContentDescriptor& from, schema::Descriptor::Builder to) {
  WriteDigest(from.digest, to.initDigest());
  to.setSize(from.size);
  to.setMediaType(from.media_type);
}

}  // namespace bulkhead::worker
