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
  std::string kernel;     // uname release
  std::string hostname;   // uname nodename
  bool selinux = false;   // enabled in this kernel
  bool apparmor = false;  // likewise
  // Whether layers can be EROFS images, or what cannot be done.
  absl::Status erofs_layers = absl::UnknownError("not tried");
  SubordinateIds subordinate;
};

// driver: the configuration's "auto", "cgroupfs" or "systemd". FAILED_PRECONDITION: systemd is
// asked for and not init.
absl::StatusOr<Host> DetectHost(absl::string_view driver = "auto");

// The first line that `path --version` prints, for example "crun version 1.8.1". Reads at most 4
// KiB and waits at most 5 s. NOT_FOUND: no such program; DEADLINE_EXCEEDED: killed; INTERNAL: it
// failed or printed nothing usable.
absl::StatusOr<std::string> RuntimeVersion(const std::string& path);

// What an OCI runtime says of itself (runtime-spec 1.1, `features`).
struct RuntimeFeatures {
  bool known = false;           // false: it has no such command, as crun before 1.9
  std::string oci_version_max;  // "1.3.0"
  bool idmap_mounts = false;
  std::vector<std::string> seccomp_flags;
};

// Asks `path features`: at most 256 KiB, at most 5 s. Not known where it fails or prints something
// else.
RuntimeFeatures AskFeatures(const std::string& path);

// Reads what the command printed.
RuntimeFeatures ParseFeatures(absl::string_view json);

// A version and, where it has one, what it says of its features.
struct FoundRuntime {
  std::string version;
  RuntimeFeatures features;
};

// What is publicly known against a runtime of this version line, one text each, CVE number first;
// empty: nothing known to this program.
std::vector<std::string> KnownHoles(absl::string_view version_line);

}  // namespace bulkhead::tools
