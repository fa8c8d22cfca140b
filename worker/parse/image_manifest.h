#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/parse/descriptor.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxLayers = 1000;
inline constexpr size_t kMaxIndexEntries = 1000;

// Whose image is wanted, in Go's words: {"amd64", ""}, {"arm64", "v8"}. The system is always linux.
struct Platform {
  std::string architecture;
  std::string variant;
};

struct IndexEntry {
  ContentDescriptor descriptor;
  bool has_platform = false;
  std::string os;
  Platform platform;
  std::string name;  // from the annotations of an archive's index; empty: none
  enum class Role { kImage, kSignatures, kOther };
  Role role = Role::kImage;  // likewise: what cosign put beside an image says so
};

struct ImageManifest {
  ContentDescriptor config;
  std::vector<ContentDescriptor> layers;  // lowest first
};

// Index or manifest, by structure, which must agree with the document's own mediaType and with said
// (what the Content-Type or a descriptor told; UNKNOWN: not told). INVALID_ARGUMENT:
// contradictions, neither, schema 1.
absl::StatusOr<MediaType> ClassifyDocument(const Json& document, MediaType said);

// OCI index or Docker manifest list. Entries that are neither manifest nor index are left out: they
// are artifacts.
absl::StatusOr<std::vector<IndexEntry>> ParseIndex(const Json& document);
// The best entry for the platform: of several variants the newest that it can run. One entry that
// names no platform fits all, where it is alone. NOT_FOUND: the message lists what there is.
absl::StatusOr<IndexEntry> ChoosePlatform(const std::vector<IndexEntry>& entries,
                                          const Platform& wanted);
// Whether what an image says of itself can run on the platform; empty architecture: it does not
// say.
bool CanRun(const Platform& wanted, const Platform& image);

// OCI manifest or Docker schema 2 manifest of a runnable image. INVALID_ARGUMENT: an artifact, a
// foreign layer, a layer type that is unknown, over kMaxLayers.
absl::StatusOr<ImageManifest> ParseManifest(const Json& document);

}  // namespace bulkhead::worker
