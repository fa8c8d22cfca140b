#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cgroup.h"

namespace bulkhead::tools {

// A range of ids that pods' user namespaces may have. count 0: none.
struct SubordinateIds {
  uint32_t first = 0;
  uint32_t count = 0;
};

// The range that both files (the text of /etc/subuid and /etc/subgid) give this user; the first
// line of each counts. None where they differ, or reach to where layers lie.
SubordinateIds FindSubordinateIds(absl::string_view subuid, absl::string_view subgid,
                                  absl::string_view user);

// What kernel and init offer, found out once at start.
struct Host {
  base::CgroupMode cgroup_mode = base::CgroupMode::kV2;
  // cgroups are asked of systemd, not made by hand: systemd is init, and owns the tree.
  bool systemd_driver = false;
  std::string kernel;  // uname release
  SubordinateIds subordinate;
};

absl::StatusOr<Host> DetectHost();

// The first line that `path --version` prints, for example "crun version 1.8.1". Reads at most 4
// KiB and waits at most 5 s. NOT_FOUND: no such program; DEADLINE_EXCEEDED: killed; INTERNAL: it
// failed or printed nothing usable.
absl::StatusOr<std::string> RuntimeVersion(const std::string& path);

// What is publicly known against a runtime of this version line, one text each, CVE number first;
// empty: nothing known to this program.
std::vector<std::string> KnownHoles(absl::string_view version_line);

}  // namespace bulkhead::tools
