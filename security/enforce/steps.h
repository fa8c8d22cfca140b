#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "security/enforce/enter.h"
#include "security/profile.h"

// The steps of EnterOrDie, in the order in which enter.cc calls them. Each is called once, by a
// process with one thread that still is root.
namespace bulkhead::security {

// limits.cc
absl::Status CloseOtherFds(const Profile& profile, const Places& places);
absl::Status SetLimits(const Profile& profile, const Places& places);
absl::Status SetHygiene(const Profile& profile, const Places& places);

// view.cc
absl::Status MakeNamespaces(const Profile& profile, const Places& places);
absl::Status NarrowView(const Profile& profile, const Places& places);

// ids.cc
absl::Status SetIds(const Profile& profile, const Places& places);

// capabilities.cc
absl::Status DropBounding(const Profile& profile, const Places& places);
absl::Status SetCapabilities(const Profile& profile, const Places& places);
// For those that went with the uid 0. FAILED_PRECONDITION: they did not.
absl::Status CheckNoCapabilities(const Profile& profile, const Places& places);

// landlock.cc
absl::Status ApplyLandlock(const Profile& profile, const Places& places);

// seccomp.cc
absl::Status ApplySeccomp(const Profile& profile, const Places& places);

// A table's path with {root_dir} or {run_dir} replaced. FAILED_PRECONDITION where that place was
// not given.
absl::StatusOr<std::string> ExpandPath(const char* path, const Places& places);

}  // namespace bulkhead::security
