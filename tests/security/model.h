#pragma once

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <vector>

#include "security/enforce/seccomp.h"
#include "security/profile.h"

namespace bulkhead::security {

// What a table says of a call, read straight from its rows.
using Arguments = std::array<uint64_t, 6>;

inline bool Matches(const Syscall& row, const Arguments& arguments) {
  return std::all_of(row.args.begin(), row.args.end(), [&](const ArgRule& rule) {
    return (arguments[rule.index] & rule.mask) == rule.value;
  });
}

inline uint32_t ActionOf(const std::vector<Syscall>& rows, int number, const Arguments& arguments) {
  for (const Syscall& row : rows) {
    if (row.number != number || !Matches(row, arguments)) continue;
    if (row.error == 0) return SECCOMP_RET_ALLOW;
    return SECCOMP_RET_ERRNO | static_cast<uint32_t>(row.error);
  }
  return SECCOMP_RET_KILL_PROCESS;
}

inline bool TableAllows(const Profile& profile, int number, const Arguments& arguments = {}) {
  return ActionOf(EffectiveRows(profile), number, arguments) == SECCOMP_RET_ALLOW;
}

}  // namespace bulkhead::security
