#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// The filter as data; seccomp.cc turns it into the OCI form.
namespace bulkhead::security {

inline constexpr int kNoCapability = -1;

// Allowed always, or, where capability is set, to containers whose bounding set has it.
struct AllowedCalls {
  const char* why;
  int capability;
  absl::Span<const absl::string_view> names;
};

enum class Compare { kEqual, kMaskedEqual };

// name is allowed where (argument & mask) == value. Several rows for one name are alternatives.
// Masks of 32 bits on arguments that the kernel reads as int: a caller cannot get past a comparison
// by setting bits that the kernel ignores.
struct AllowedArgument {
  absl::string_view name;
  unsigned index;
  Compare compare;
  uint64_t mask;
  uint64_t value;
  int unless_capability;  // the row is left out where the container has it: the name is then
                          // allowed whole
};

absl::Span<const AllowedCalls> SeccompAllowed();
absl::Span<const AllowedArgument> SeccompAllowedArguments();

}  // namespace bulkhead::security
