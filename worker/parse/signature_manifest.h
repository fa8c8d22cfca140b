#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/parse/descriptor.h"

namespace bulkhead::worker {

// More are left out: each one costs a fetch.
inline constexpr size_t kMaxManifestSignatures = 16;
inline constexpr size_t kMaxSignatureBytes = 2048;

// One signature of a manifest as cosign stores it: the payload is a layer, the signature an
// annotation of its.
struct ManifestSignature {
  ContentDescriptor payload;
  std::string signature;  // bytes
};

// Whether text is a tag under which cosign keeps an image's signatures: "sha256-<64 hex>.sig".
bool IsSignatureTag(absl::string_view text);

// An OCI manifest that holds signatures. INVALID_ARGUMENT: is none. Layers of other kinds are left
// out.
absl::StatusOr<std::vector<ManifestSignature>> ParseSignatures(const Json& document);

}  // namespace bulkhead::worker
