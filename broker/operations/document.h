#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "broker/operations/layer.h"
#include "schema/common.capnp.h"
#include "schema/worker/manifest.capnp.h"

namespace bulkhead::broker {

// A manifest, an index or an image's configuration.
struct Document {
  int fd = -1;
  uint64_t offset = 0;
  uint64_t size = 0;
  std::string digest;  // of it, 32 bytes; empty: not known
};

// Has a worker without power hash and parse a manifest, an index or a configuration. said: the
// media type that its descriptor or the registry gave.
absl::StatusOr<Record<schema::ManifestResult>> ParseDocument(
    Fiber& fiber, Broker& broker, const Document& document, schema::ManifestJob::Kind kind,
    schema::Descriptor::MediaType said = schema::Descriptor::MediaType::UNKNOWN);

// Keeps a document as blob <digest>, durably.
absl::Status StoreDocument(Broker& broker, const Document& document, absl::string_view digest);

// The architecture of images that run here, as OCI names it.
inline constexpr char kArchitecture[] =
#if defined(__x86_64__)
    "amd64";
#elif defined(__aarch64__)
    "arm64";
#else
#error "no OCI name for this architecture"
#endif

}  // namespace bulkhead::broker
