#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

// The highest id: 2^32 - 1 means "no id" to the kernel.
inline constexpr uint32_t kMaxId = 0xfffffffe;

// Decimal digits without a leading zero, 0 to kMaxId. INVALID_ARGUMENT for anything else.
absl::StatusOr<uint32_t> ParseId(absl::string_view text);

// One half of a user: a number or a name, never one tried as the other (V18).
struct IdOrName {
  bool is_id = false;
  uint32_t id = 0;
  std::string name;  // empty where it is an id
};

struct UserSpec {
  IdOrName user;
  bool has_group = false;
  IdOrName group;
};

// "", "uid", "uid:gid", "name", "name:group" and the mixed forms; "" is uid 0. What begins with a
// digit is a number or an error. Names: a letter or '_', then letters, digits, '_', '-' and '.', at
// most 255.
absl::StatusOr<UserSpec> ParseUserSpec(absl::string_view text);

}  // namespace bulkhead::worker
