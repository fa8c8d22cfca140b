#pragma once

#include "absl/status/status.h"
#include "schema/image.capnp.h"
#include "worker/parse/image_manifest.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::worker {

// Entries of each of env, labels, entrypoint, cmd, volumes.
inline constexpr size_t kMaxConfigList = 4096;
// Bytes of one of them: the kernel's limit for one argument.
inline constexpr size_t kMaxConfigText = 128 << 10;
// Bytes of all together, so that the result fits its frame.
inline constexpr size_t kMaxConfigBytes = 512 << 10;

// Reads an OCI or Docker image configuration into out. An empty wanted.architecture asks for none.
// INVALID_ARGUMENT: a field of the wrong type, a bad diff_id; RESOURCE_EXHAUSTED: over a limit;
// NOT_FOUND: made for another platform.
absl::Status ReadImageConfig(const Json& document, const Platform& wanted,
                             schema::ImageConfig::Builder out);

}  // namespace bulkhead::worker
