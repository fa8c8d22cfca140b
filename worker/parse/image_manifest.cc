#include "worker/parse/image_manifest.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/parse/signature_manifest.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kShownBytes = 100;

bool IsLayer(MediaType type) {
  return type == MediaType::LAYER_TAR || type == MediaType::LAYER_TAR_GZIP ||
         type == MediaType::LAYER_TAR_ZSTD;
}

// An array of bounded length, each element given to parse with its name for errors.
template <typename Parse>
absl::Status ForEach(const Json& document, const char* key, size_t max, const Parse& parse) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* array, ArrayMember(document, key));
  if (array->size() > max) {
    return absl::ResourceExhaustedError(absl::StrCat(key, ": more than ", max, " entries"));
  }
  for (size_t i = 0; i < array->size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(parse(absl::StrCat(key, "[", i, "]"), (*array)[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<ContentDescriptor> ParseLayer(absl::string_view field, const Json& json) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string type, StringMember(json, "mediaType"));
  if (IsForeignLayer(type)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": a foreign layer, which is not fetched from elsewhere"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(ContentDescriptor layer, ParseDescriptor(field, json));
  if (!IsLayer(layer.media_type)) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": media type ",
                                                   absl::CHexEscape(type.substr(0, kShownBytes)),
                                                   " is no layer of a container image"));
  }
  return layer;
}

absl::Status ParsePlatform(const Json& entry, IndexEntry& out) {
  const Json* platform = Member(entry, "platform");
  if (platform == nullptr) return absl::OkStatus();
  out.has_platform = true;
  BULKHEAD_ASSIGN_OR_RETURN(out.os, StringMember(*platform, "os"));
  BULKHEAD_ASSIGN_OR_RETURN(out.platform.architecture, StringMember(*platform, "architecture"));
  BULKHEAD_ASSIGN_OR_RETURN(out.platform.variant, StringMember(*platform, "variant"));
  return absl::OkStatus();
}

// Layouts that `cosign save` writes name the kind; in others signatures are known by their tag.
absl::Status ParseRole(const Json& annotations, IndexEntry& out) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string kind, StringMember(annotations, "kind"));
  BULKHEAD_ASSIGN_OR_RETURN(std::string ref,
                            StringMember(annotations, "org.opencontainers.image.ref.name"));
  absl::string_view tag = absl::string_view(ref).substr(ref.rfind(':') + 1);
  if (kind == "dev.cosignproject.cosign/sigs" || IsSignatureTag(tag)) {
    out.role = IndexEntry::Role::kSignatures;
  } else if (absl::StartsWith(kind, "dev.cosignproject.cosign/") &&
             !absl::StartsWith(kind, "dev.cosignproject.cosign/image")) {
    out.role = IndexEntry::Role::kOther;
  }
  return absl::OkStatus();
}

// The full name where the archive's writer gave one; the OCI name is often a bare tag, which names
// nothing.
absl::Status ParseName(const Json& entry, IndexEntry& out) {
  const Json* annotations = Member(entry, "annotations");
  if (annotations == nullptr) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(ParseRole(*annotations, out));
  BULKHEAD_ASSIGN_OR_RETURN(out.name, StringMember(*annotations, "io.containerd.image.name"));
  if (!out.name.empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(std::string ref,
                            StringMember(*annotations, "org.opencontainers.image.ref.name"));
  if (absl::StrContains(ref, "/") || absl::StrContains(ref, ":")) out.name = ref;
  return absl::OkStatus();
}

// "v7" to 7; what each architecture means by none; -1 where it is not of that form.
int VariantLevel(const Platform& platform) {
  if (platform.variant.empty()) {
    if (platform.architecture == "arm64") return 8;
    if (platform.architecture == "arm") return 7;
    return 1;
  }
  if (platform.variant.size() != 2 || platform.variant[0] != 'v') return -1;
  char digit = platform.variant[1];
  return digit >= '0' && digit <= '9' ? digit - '0' : -1;
}

std::string Describe(const std::vector<IndexEntry>& entries) {
  std::string out;
  for (const IndexEntry& entry : entries) {
    if (out.size() > 1000) break;
    absl::StrAppend(&out, out.empty() ? "" : ", ", entry.os, "/", entry.platform.architecture,
                    entry.platform.variant.empty() ? "" : "/", entry.platform.variant);
  }
  return out.empty() ? "none" : absl::CHexEscape(out);
}

}  // namespace

absl::StatusOr<MediaType> ClassifyDocument(const Json& document, MediaType said) {
  bool index = Member(document, "manifests") != nullptr;
  bool manifest = Member(document, "layers") != nullptr || Member(document, "config") != nullptr;
  if (Member(document, "fsLayers") != nullptr || Member(document, "signatures") != nullptr) {
    return absl::InvalidArgumentError("manifest: Docker schema 1 is not supported");
  }
  if (index == manifest) {
    return absl::InvalidArgumentError(index ? "manifest: is both an index and a manifest"
                                            : "manifest: is neither an index nor a manifest");
  }
  const Json* version = Member(document, "schemaVersion");
  if (version == nullptr || !version->is_number_unsigned() || *version != 2u) {
    return absl::InvalidArgumentError("manifest: schemaVersion is not 2");
  }
  MediaType structure = index ? MediaType::INDEX : MediaType::MANIFEST;
  BULKHEAD_ASSIGN_OR_RETURN(std::string own, StringMember(document, "mediaType"));
  if (!own.empty() && ParseMediaType(own) != structure) {
    return absl::InvalidArgumentError("manifest: its mediaType is not what it is");
  }
  if (said != MediaType::UNKNOWN && said != structure) {
    return absl::InvalidArgumentError("manifest: was announced as something else than it is");
  }
  return structure;
}

absl::StatusOr<std::vector<IndexEntry>> ParseIndex(const Json& document) {
  std::vector<IndexEntry> entries;
  BULKHEAD_RETURN_IF_ERROR(ForEach(
      document, "manifests", kMaxIndexEntries,
      [&](const std::string& field, const Json& json) -> absl::Status {
        IndexEntry entry;
        BULKHEAD_ASSIGN_OR_RETURN(entry.descriptor, ParseDescriptor(field, json));
        BULKHEAD_RETURN_IF_ERROR(base::Annotate(ParsePlatform(json, entry), field));
        BULKHEAD_RETURN_IF_ERROR(base::Annotate(ParseName(json, entry), field));
        MediaType type = entry.descriptor.media_type;
        if (type != MediaType::MANIFEST && type != MediaType::INDEX) return absl::OkStatus();
        if (entry.descriptor.size > kMaxDocumentBytes) {
          return absl::ResourceExhaustedError(absl::StrCat(field, ": over 4 MiB"));
        }
        entries.push_back(std::move(entry));
        return absl::OkStatus();
      }));
  return entries;
}

bool CanRun(const Platform& wanted, const Platform& image) {
  if (image.architecture.empty()) return true;
  if (image.architecture != wanted.architecture) return false;
  int level = VariantLevel(image);
  return level >= 0 && level <= VariantLevel(wanted);
}

absl::StatusOr<IndexEntry> ChoosePlatform(const std::vector<IndexEntry>& entries,
                                          const Platform& wanted) {
  if (entries.size() == 1 && !entries[0].has_platform) return entries[0];
  const IndexEntry* best = nullptr;
  for (const IndexEntry& entry : entries) {
    if (!entry.has_platform || entry.os != "linux" || entry.platform.architecture.empty() ||
        !CanRun(wanted, entry.platform)) {
      continue;
    }
    if (best == nullptr || VariantLevel(entry.platform) > VariantLevel(best->platform)) {
      best = &entry;
    }
  }
  if (best != nullptr) return *best;
  return absl::NotFoundError(absl::StrCat("index: nothing for linux/", wanted.architecture,
                                          wanted.variant.empty() ? "" : "/", wanted.variant,
                                          "; it has ", Describe(entries)));
}

absl::StatusOr<ImageManifest> ParseManifest(const Json& document) {
  ImageManifest out;
  const Json* config = Member(document, "config");
  if (config == nullptr) return absl::InvalidArgumentError("config: missing");
  BULKHEAD_ASSIGN_OR_RETURN(out.config, ParseDescriptor("config", *config));
  if (out.config.media_type != MediaType::CONFIG) {
    return absl::InvalidArgumentError("config: its media type says an artifact, not an image");
  }
  if (out.config.size > kMaxDocumentBytes) {
    return absl::ResourceExhaustedError("config: over 4 MiB");
  }
  BULKHEAD_RETURN_IF_ERROR(
      ForEach(document, "layers", kMaxLayers,
              [&](const std::string& field, const Json& json) -> absl::Status {
                BULKHEAD_ASSIGN_OR_RETURN(ContentDescriptor layer, ParseLayer(field, json));
                out.layers.push_back(std::move(layer));
                return absl::OkStatus();
              }));
  return out;
}

}  // namespace bulkhead::worker
