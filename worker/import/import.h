#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/import/archive_index.h"
#include "worker/parse/image_manifest.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxImages = 64;
inline constexpr size_t kMaxSignatureManifests = 64;

// One document or layer in the archive.
struct Section {
  Extent extent;
  std::string digest;  // 32 bytes as claimed by the archive, or empty
  MediaType media_type = MediaType::UNKNOWN;
};

struct FoundImage {
  std::vector<std::string> repo_tags;
  Section index;     // whose entry the manifest is; of size 0 where it is none's
  Section manifest;  // of size 0 where there is none
  Section config;
  std::vector<Section> layers;  // lowest first
};

// Signatures that lie beside the images, as cosign keeps them.
struct FoundSignatures {
  Section manifest;
  std::vector<Section> payloads;
};

struct Found {
  std::vector<FoundImage> images;
  std::vector<FoundSignatures> signatures;
};

// Finds the images for the platform in an archive (a regular file, read-only; stays the caller's):
// an OCI image layout, else a docker-archive. Nothing is hashed. INVALID_ARGUMENT: neither,
// compressed, or contradicting itself; DATA_LOSS: damaged; NOT_FOUND: no image for the platform;
// RESOURCE_EXHAUSTED: over a limit.
absl::StatusOr<Found> FindImages(int archive, const Platform& wanted);

// The two forms, each given the archive's index. oci_layout.cc, docker_archive.cc.
absl::StatusOr<Found> FindOciImages(int archive, const ArchiveIndex& index, const Platform& wanted);
absl::StatusOr<std::vector<FoundImage>> FindDockerImages(int archive, const ArchiveIndex& index);

// Reads and parses one JSON document of the archive.
absl::StatusOr<Json> ReadJson(int archive, const Extent& extent);

}  // namespace bulkhead::worker
