#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// What a container gets where its pod says nothing: data only, for the broker that decides and the
// launch worker that writes it down.
namespace bulkhead::security {

// Bit n stands for capability number n, as in the schemas.
uint64_t DefaultCapabilities();

// In-container paths hidden behind an empty file or directory, and those mounted read-only (V25,
// V32).
absl::Span<const absl::string_view> DefaultMaskedPaths();
absl::Span<const absl::string_view> DefaultReadonlyPaths();

}  // namespace bulkhead::security
