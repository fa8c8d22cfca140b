#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct archive;

namespace bulkhead::worker {

// One blob of an image, as it lies in the store.
struct StoredBlob {
  int fd = -1;
  std::string digest;  // 32 bytes
};

struct ExportedImage {
  std::vector<std::string> names;  // full references
  bool has_manifest = false;       // then the first blob is one
  std::vector<StoredBlob> blobs;   // manifest, configuration, layers
};

// Writes the image to out as a tar file: an OCI image layout (image-spec, image-layout) that also has the manifest.json
// which docker-archive readers look for. Each blob is hashed on its way. DATA_LOSS: one is not what its digest says;
// what was written then is worth nothing. Returns the size of the archive.
absl::StatusOr<uint64_t> WriteLayout(int out, const ExportedImage& image);

}  // namespace bulkhead::worker
