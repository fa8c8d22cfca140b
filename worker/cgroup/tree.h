#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::cgroup {

// Below root, the mounts in which a cgroup has a directory: "" on v2, else "memory", "cpu" and so
// on, one a v1 hierarchy.
absl::StatusOr<std::vector<std::string>> Hierarchies(int root, bool v2);

// Where the cgroup is below the root.
std::string PlaceOf(const std::string& hierarchy, absl::string_view path);

// Makes the cgroup at path ("/a/b") in one hierarchy and what is missing above it, each with our
// mark, and enables the hierarchy's controllers for it. True: it is ours, made now or earlier.
// After an error nothing new is left.
absl::StatusOr<bool> MakeCgroup(int root, const std::string& hierarchy, const std::string& path);

// Whether MakeCgroup made it, in this hierarchy. NOT_FOUND: there is none.
absl::StatusOr<bool> IsOurs(int root, const std::string& hierarchy, const std::string& path);

// Removes the cgroups above path that are ours and empty, from the lowest up.
void RemoveEmptyParents(int root, const std::string& hierarchy, const std::string& path);

}  // namespace bulkhead::cgroup
