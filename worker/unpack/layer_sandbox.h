#pragma once

#include <string>

#include "worker/unpack/unpack.h"

// Runs Unpack for tests where the real process runs it: as root of a user namespace mapped like
// IdMap::kLayer.
namespace bulkhead::worker {

struct SandboxedUnpack {
  absl::Status status;
  Unpacked unpacked;
};

// Feeds tar to Unpack in a child process; directory is a path, owned by the broker's uid from the
// start. Needs root.
SandboxedUnpack UnpackInNamespace(const std::string& tar, const std::string& directory,
                                  const UnpackLimits& limits);

}  // namespace bulkhead::worker
