#pragma once

#include <string>

#include "worker/layer/layer_reader.h"

// Makes layers for tests where the real processes make them.
namespace bulkhead::worker {

// The two forms of a layer.
enum class Driver { kDir, kErofs };

struct SandboxedUnpack {
  absl::Status status;
  LayerCounts unpacked;
};

// Feeds tar to Unpack in a child process that is root of a user namespace mapped like
// IdMap::kLayer; directory is a path, owned by the broker's uid from the start. Needs root.
SandboxedUnpack UnpackInNamespace(const std::string& tar, const std::string& directory,
                                  const LayerLimits& limits);

// Feeds tar to Pack in a child process that is nobody; image is the path of a file to be made.
SandboxedUnpack PackAsNobody(const std::string& tar, const std::string& image,
                             const LayerLimits& limits);

// Mounts the image read-only at directory, straight from the file. UNIMPLEMENTED: this kernel, or
// the file system the image is on, cannot do that.
absl::Status MountImage(const std::string& image, const std::string& directory);

}  // namespace bulkhead::worker
