#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/image.capnp.h"

// Checks that the frontend makes first and the broker makes again: one pure function for both, so
// that they cannot differ (V50). Everything here works on typed values; nothing does I/O.
namespace bulkhead::validate {

inline constexpr char kDefaultRegistry[] = "docker.io";
inline constexpr char kDefaultTag[] = "latest";

// Parses what a user writes ("busybox", "host:5000/a/b:tag@sha256:...") by the distribution-spec
// grammar and fills in the defaults. INVALID_ARGUMENT beginning with field for anything else: a
// transport, a path, upper case.
absl::Status ParseReference(absl::string_view field, absl::string_view text,
                            schema::ImageReference::Builder out);

// Whether a typed reference obeys the grammar: what the broker checks.
absl::Status CheckReference(absl::string_view field, schema::ImageReference::Reader reference);

// "registry/repository:tag", or "registry/repository@sha256:hex" where there is no tag.
std::string FormatReference(schema::ImageReference::Reader reference);
// "registry/repository@sha256:hex" with this digest (32 bytes).
std::string FormatDigestReference(schema::ImageReference::Reader reference,
                                  absl::string_view digest);

// Whether text is host[:port] as references name registries.
bool IsRegistryName(absl::string_view text);

// "sha256:" and 64 hex digits, or a prefix of 4 to 64 hex digits with or without "sha256:".
bool LooksLikeImageId(absl::string_view text);

}  // namespace bulkhead::validate
