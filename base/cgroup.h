#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::base {

enum class CgroupMode { kV1, kHybrid, kV2 };
inline constexpr char kCgroupMount[] = "/sys/fs/cgroup";

// From what is mounted at /sys/fs/cgroup: cgroup2 itself is kV2; v1 controllers are kV1, or kHybrid where a
// cgroup2 is mounted below as well.
absl::StatusOr<CgroupMode> DetectCgroupMode();

// The directories, relative to kCgroupMount, where the cgroup at path ("/kubepods/x") lives: one for each v1
// hierarchy that holds processes of ours, or the path itself on v2.
std::vector<std::string> CgroupDirectories(CgroupMode mode, absl::string_view path);

// Sends SIGKILL to every process in it: cgroup.kill on v2, process by process on v1 until none is left or a second
// has passed. Missing is success. root: fd of kCgroupMount.
absl::Status KillCgroup(int root, CgroupMode mode, absl::string_view path);
// Removes the cgroup and those below it. Missing is success. At: in one hierarchy; place: below root, as
// CgroupDirectories gives it.
absl::Status RemoveCgroupAt(int root, const std::string& place);
absl::Status RemoveCgroup(int root, CgroupMode mode, absl::string_view path);

// cpu.weight for cpu.shares, as crun and runc compute it: 2 to 262144 becomes 1 to 10000.
uint64_t WeightOfShares(int64_t shares);

}  // namespace bulkhead::base
