#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::worker {

struct LookupRequest {
  std::string user;                         // user_spec.h's grammar
  bool has_gid = false;                     // gid wins over everything else
  uint32_t gid = 0;
  std::vector<uint32_t> supplemental_gids;
  // Leave out the groups that the group file gives the user.
  bool strict = false;
};

struct ResolvedUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> additional_gids;  // sorted, each once; holds gid too
  std::string home;                       // absolute, without control characters; else empty
  std::string username;                   // empty where passwd has none for the uid
};

// Resolves a user by etc/passwd and etc/group of rootfs (an fd; stays the caller's).
// INVALID_ARGUMENT: bad grammar, or a looked-up id out of range; NOT_FOUND: no such user or group.
// A number needs no entry: gid 0 then.
absl::StatusOr<ResolvedUser> LookUpUser(int rootfs, const LookupRequest& request);

}  // namespace bulkhead::worker
