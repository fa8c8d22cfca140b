#include "worker/import/import.h"

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::worker {

absl::StatusOr<Json> ReadJson(int archive, const Extent& extent) {
  if (extent.size > kMaxDocumentBytes) return absl::ResourceExhaustedError("is over 4 MiB");
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, base::ReadAt(archive, extent.offset, extent.size));
  return ParseStrictJson(text);
}

namespace {

// The answer must fit its frame.
constexpr size_t kMaxLayersInAll = 4000;
constexpr size_t kMaxTagBytes = 512;

absl::Status CheckSize(const std::vector<FoundImage>& images) {
  size_t layers = 0;
  for (const FoundImage& image : images) {
    layers += image.layers.size();
    for (const std::string& tag : image.repo_tags) {
      if (tag.size() > kMaxTagBytes) {
        return absl::InvalidArgumentError("archive: an image's name is over 512 bytes");
      }
    }
  }
  if (layers <= kMaxLayersInAll) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("archive: more than ", kMaxLayersInAll, " layers in all its images"));
}

absl::StatusOr<Found> FindByForm(int archive, const ArchiveIndex& index, const Platform& wanted) {
  // `docker save` of today writes both forms; the OCI one says more.
  if (index.Has("oci-layout") && index.Has("index.json")) {
    return FindOciImages(archive, index, wanted);
  }
  if (index.Has("manifest.json")) {
    BULKHEAD_ASSIGN_OR_RETURN(auto images, FindDockerImages(archive, index));
    return Found{.images = std::move(images)};
  }
  return absl::InvalidArgumentError(
      "archive: is neither an OCI image layout (oci-layout, index.json) nor a docker-archive "
      "(manifest.json)");
}

}  // namespace

absl::StatusOr<Found> FindImages(int archive, const Platform& wanted) {
  BULKHEAD_ASSIGN_OR_RETURN(ArchiveIndex index, ArchiveIndex::Scan(archive));
  BULKHEAD_ASSIGN_OR_RETURN(Found found, FindByForm(archive, index, wanted));
  BULKHEAD_RETURN_IF_ERROR(CheckSize(found.images));
  return found;
}

}  // namespace bulkhead::worker
