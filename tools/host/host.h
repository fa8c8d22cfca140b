#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cgroup.h"

namespace bulkhead::tools {

// What kernel and init offer, found out once at start.
struct Host {
  base::CgroupMode cgroup_mode = base::CgroupMode::kV2;
  // cgroups are asked of systemd, not made by hand: systemd is init, and owns the tree.
  bool systemd_driver = false;
  std::string kernel;  // uname release
  // Whether layers can be EROFS images, or what cannot be done.
  absl::Status erofs_layers = absl::UnknownError("not tried");
};

// driver: the configuration's "auto", "cgroupfs" or "systemd". FAILED_PRECONDITION: systemd is
// asked for and not init.
absl::StatusOr<Host> DetectHost(absl::string_view driver = "auto");

// The first line that `path --version` prints, for example "crun version 1.8.1". Reads at most 4
// KiB and waits at most 5 s. NOT_FOUND: no such program; DEADLINE_EXCEEDED: killed; INTERNAL: it
// failed or printed nothing usable.
absl::StatusOr<std::string> RuntimeVersion(const std::string& path);

// What is publicly known against a runtime of this version line, one text each, CVE number first;
// empty: nothing known to this program.
std::vector<std::string> KnownHoles(absl::string_view version_line);

}  // namespace bulkhead::tools
