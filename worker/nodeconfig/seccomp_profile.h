#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "schema/seccomp.capnp.h"

namespace bulkhead::worker {

// What rules of a profile may depend on.
struct SeccompFacts {
  uint64_t capabilities = 0;  // of the container
  std::string architecture;   // "amd64", "arm64"
  std::string kernel;         // release of the node's
};

// Reads a seccomp profile: OCI runtime-spec (linux.seccomp), with what Docker's and Podman's
// profiles have beyond it: archMap, name, includes and excludes (caps, arches, minKernel), decided
// here. INVALID_ARGUMENT: malformed, an unknown key or word, or a listener, which no container may
// have: what is not understood must not be left out of a filter. RESOURCE_EXHAUSTED: too long.
absl::Status ParseSeccompProfile(absl::string_view document, const SeccompFacts& facts,
                                 schema::SeccompFilter::Builder out);

}  // namespace bulkhead::worker
