#include "worker/lxc/cgroups.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::lxc {
namespace {

absl::Status InheritCpuset(const std::string& parent, const std::string& child) {
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(AT_FDCWD, child, 0755));
  for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string own, base::ReadFile(child + file, 4096));
    if (!absl::StripAsciiWhitespace(own).empty()) continue;
    BULKHEAD_ASSIGN_OR_RETURN(const std::string above, base::ReadFile(parent + file, 4096));
    BULKHEAD_RETURN_IF_ERROR(base::WriteKernelFile(AT_FDCWD, child + file, above));
  }
  return base::WriteKernelFile(AT_FDCWD, child + "/cgroup.clone_children", "1");
}

}  // namespace

absl::Status EnterRootCgroups(base::CgroupMode mode) {
  for (const std::string& directory : base::CgroupDirectories(mode, "/")) {
    BULKHEAD_RETURN_IF_ERROR(base::WriteKernelFile(
        AT_FDCWD, absl::StrCat(base::kCgroupMount, "/", directory, "/cgroup.procs"), "0"));
  }
  return absl::OkStatus();
}

absl::Status PrepareCpusets(const std::string& cgroup, base::CgroupMode mode) {
  std::string parent = absl::StrCat(base::kCgroupMount, "/cpuset");
  if (mode == base::CgroupMode::kV2 || access((parent + "/cpuset.cpus").c_str(), F_OK) != 0) {
    return absl::OkStatus();
  }
  std::vector<std::string> names = absl::StrSplit(cgroup, '/', absl::SkipEmpty());
  names.pop_back();  // the container's own is liblxc's to make
  for (const std::string& name : names) {
    const std::string child = absl::StrCat(parent, "/", name);
    BULKHEAD_RETURN_IF_ERROR(InheritCpuset(parent, child));
    parent = child;
  }
  return absl::OkStatus();
}

absl::Status MoveToOwnCgroups(const std::string& cgroup, base::CgroupMode mode) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, base::ReadFile("/proc/self/cgroup", 64 << 10));
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) return absl::InternalError("own cgroup: unreadable");
    if (parts[1].empty() != (mode == base::CgroupMode::kV2)) continue;
    const std::string hierarchy =
        absl::StrCat(base::kCgroupMount, "/", absl::StripPrefix(parts[1], "name="));
    const absl::StatusOr<std::string> members =
        base::ReadFile(absl::StrCat(hierarchy, cgroup, "/cgroup.procs"), 64 << 10);
    if (absl::IsNotFound(members.status())) continue;  // not mounted
    if (!members.ok()) return members.status();
    for (absl::string_view pid : absl::StrSplit(*members, '\n', absl::SkipEmpty())) {
      BULKHEAD_RETURN_IF_ERROR(
          base::WriteKernelFile(AT_FDCWD, absl::StrCat(hierarchy, parts[2], "/cgroup.procs"), pid));
    }
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::lxc
