#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "worker/import/import.h"
#include "worker/parse/signature_manifest.h"

namespace bulkhead::worker {
namespace {

class OciLayout {
 public:
  OciLayout(int archive, const ArchiveIndex& index, const Platform& wanted)
      : archive_(archive), index_(index), wanted_(wanted) {}

  absl::StatusOr<Found> Find() {
    BULKHEAD_RETURN_IF_ERROR(CheckVersion());
    BULKHEAD_ASSIGN_OR_RETURN(Extent extent, index_.Find("index.json"));
    BULKHEAD_ASSIGN_OR_RETURN(std::vector<IndexEntry> entries, ReadIndex("index.json", extent));
    Found found;
    std::vector<FoundImage>& images = found.images;
    for (const IndexEntry& entry : entries) {
      if (entry.role == IndexEntry::Role::kSignatures) {
        BULKHEAD_RETURN_IF_ERROR(ReadSignatures(entry, found.signatures));
      }
      if (entry.role != IndexEntry::Role::kImage || !MayRun(entry)) continue;
      if (images.size() == kMaxImages) {
        return absl::ResourceExhaustedError(
            absl::StrCat("archive: more than ", kMaxImages, " images"));
      }
      BULKHEAD_ASSIGN_OR_RETURN(FoundImage image, ReadImage(entry));
      images.push_back(std::move(image));
    }
    if (!images.empty()) return found;
    return absl::NotFoundError(
        absl::StrCat("archive: no image for linux/", wanted_.architecture, " in index.json"));
  }

 private:
  absl::Status CheckVersion() {
    BULKHEAD_ASSIGN_OR_RETURN(Extent extent, index_.Find("oci-layout"));
    absl::StatusOr<Json> json = ReadJson(archive_, extent);
    if (!json.ok()) return base::Annotate(json.status(), "oci-layout");
    BULKHEAD_ASSIGN_OR_RETURN(std::string version, StringMember(*json, "imageLayoutVersion"));
    if (version == "1.0.0") return absl::OkStatus();
    return absl::InvalidArgumentError("oci-layout: imageLayoutVersion is not 1.0.0");
  }

  // In a layout's own index each entry is an image of its own, so only those that say so are for
  // another platform.
  bool MayRun(const IndexEntry& entry) const {
    if (!entry.has_platform) return true;
    return entry.os == "linux" && CanRun(wanted_, entry.platform);
  }

  absl::StatusOr<std::vector<IndexEntry>> ReadIndex(absl::string_view name, const Extent& extent) {
    absl::StatusOr<Json> json = ReadJson(archive_, extent);
    if (!json.ok()) return base::Annotate(json.status(), name);
    absl::StatusOr<MediaType> type = ClassifyDocument(*json, MediaType::INDEX);
    if (!type.ok()) return base::Annotate(type.status(), name);
    absl::StatusOr<std::vector<IndexEntry>> entries = ParseIndex(*json);
    if (!entries.ok()) return base::Annotate(entries.status(), name);
    return entries;
  }

  absl::StatusOr<Section> FindBlob(const ContentDescriptor& descriptor) {
    std::string name = absl::StrCat("blobs/sha256/", base::ToHex(descriptor.digest));
    BULKHEAD_ASSIGN_OR_RETURN(Extent extent, index_.Find(name));
    if (extent.size != descriptor.size) {
      return absl::DataLossError(absl::StrCat("archive: ", name, " has ", extent.size,
                                              " bytes where ", descriptor.size, " are announced"));
    }
    return Section{extent, descriptor.digest, descriptor.media_type};
  }

  // An entry that is an index means one of its manifests; an index of indexes is no image.
  absl::StatusOr<ContentDescriptor> Descend(const ContentDescriptor& descriptor) {
    if (descriptor.media_type != MediaType::INDEX) return descriptor;
    BULKHEAD_ASSIGN_OR_RETURN(Section section, FindBlob(descriptor));
    BULKHEAD_ASSIGN_OR_RETURN(std::vector<IndexEntry> entries,
                              ReadIndex("nested index", section.extent));
    BULKHEAD_ASSIGN_OR_RETURN(IndexEntry chosen, ChoosePlatform(entries, wanted_));
    if (chosen.descriptor.media_type == MediaType::MANIFEST) return chosen.descriptor;
    return absl::InvalidArgumentError("archive: indexes are nested too deep");
  }

  // Where its payloads lie; one that is not in the archive cannot be verified, and is left out.
  absl::Status ReadSignatures(const IndexEntry& entry, std::vector<FoundSignatures>& out) {
    if (out.size() == kMaxSignatureManifests) {
      return absl::ResourceExhaustedError("archive: more than 64 manifests of signatures");
    }
    FoundSignatures found;
    BULKHEAD_ASSIGN_OR_RETURN(found.manifest, FindBlob(entry.descriptor));
    absl::StatusOr<Json> json = ReadJson(archive_, found.manifest.extent);
    if (!json.ok()) return base::Annotate(json.status(), "signatures");
    BULKHEAD_ASSIGN_OR_RETURN(std::vector<ManifestSignature> signatures, ParseSignatures(*json));
    for (const ManifestSignature& signature : signatures) {
      absl::StatusOr<Section> payload = FindBlob(signature.payload);
      if (payload.ok()) found.payloads.push_back(*std::move(payload));
    }
    out.push_back(std::move(found));
    return absl::OkStatus();
  }

  absl::StatusOr<FoundImage> ReadImage(const IndexEntry& entry) {
    FoundImage image;
    if (!entry.name.empty()) image.repo_tags.push_back(entry.name);
    BULKHEAD_ASSIGN_OR_RETURN(ContentDescriptor descriptor, Descend(entry.descriptor));
    if (entry.descriptor.media_type == MediaType::INDEX) {
      BULKHEAD_ASSIGN_OR_RETURN(image.index, FindBlob(entry.descriptor));
    }
    BULKHEAD_ASSIGN_OR_RETURN(image.manifest, FindBlob(descriptor));
    absl::StatusOr<Json> json = ReadJson(archive_, image.manifest.extent);
    if (!json.ok()) return base::Annotate(json.status(), "manifest");
    BULKHEAD_RETURN_IF_ERROR(ClassifyDocument(*json, MediaType::MANIFEST).status());
    BULKHEAD_ASSIGN_OR_RETURN(ImageManifest manifest, ParseManifest(*json));
    BULKHEAD_ASSIGN_OR_RETURN(image.config, FindBlob(manifest.config));
    for (const ContentDescriptor& layer : manifest.layers) {
      BULKHEAD_ASSIGN_OR_RETURN(Section section, FindBlob(layer));
      image.layers.push_back(std::move(section));
    }
    return image;
  }

  int archive_;
  const ArchiveIndex& index_;
  const Platform& wanted_;
};

}  // namespace

absl::StatusOr<Found> FindOciImages(int archive, const ArchiveIndex& index,
                                    const Platform& wanted) {
  return OciLayout(archive, index, wanted).Find();
}

}  // namespace bulkhead::worker
