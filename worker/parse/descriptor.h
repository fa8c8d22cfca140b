#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/common.capnp.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::worker {

using MediaType = schema::Descriptor::MediaType;

inline constexpr uint64_t kMaxLayerBytes = 1ull << 40;

// What a manifest says of a piece of content.
struct ContentDescriptor {
  std::string digest;  // 32 bytes
  uint64_t size = 0;   // 1 to kMaxLayerBytes
  MediaType media_type = MediaType::UNKNOWN;
};

// "sha256:" and 64 lower-case hex digits, to 32 bytes. INVALID_ARGUMENT for anything else.
absl::StatusOr<std::string> ParseDigest(absl::string_view text);

// UNKNOWN for what is no part of an image that can run here.
MediaType ParseMediaType(absl::string_view text);
// Layers that may not be handed on by registries, and are fetched from URLs in the manifest: never
// by us.
bool IsForeignLayer(absl::string_view media_type);

// mediaType, digest and size of one descriptor. field names it in errors. INVALID_ARGUMENT.
absl::StatusOr<ContentDescriptor> ParseDescriptor(absl::string_view field, const Json& json);

// Fills the form that crosses the process border.
void WriteDescriptor(const ContentDescriptor& from, schema::Descriptor::Builder to);
void WriteDigest(absl::string_view digest, schema::Digest::Builder to);

}  // namespace bulkhead::worker
