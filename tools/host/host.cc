#include "tools/host/host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/status.h"
#include "security/layer_ids.h"

namespace bulkhead::tools {
namespace {

constexpr char kSubordinateUser[] = "bulkhead";
constexpr size_t kMaxSubordinateBytes = 1 << 20;

// The test that sd_booted(3) documents; the command name guards against a stale directory.
bool SystemdIsInit() {
  if (access("/run/systemd/system", F_OK) != 0) return false;
  absl::StatusOr<std::string> comm = base::ReadFile("/proc/1/comm", 64);
  return comm.ok() && *comm == "systemd\n";
}

// "user:first:count" a line.
SubordinateIds FirstRange(absl::string_view text, absl::string_view user) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, ':');
    SubordinateIds range;
    if (parts.size() != 3 || parts[0] != user) continue;
    if (!absl::SimpleAtoi(parts[1], &range.first) || !absl::SimpleAtoi(parts[2], &range.count) ||
        range.first == 0 || uint64_t{range.first} + range.count > security::kLayerIdShift) {
      return SubordinateIds();
    }
    return range;
  }
  return SubordinateIds();
}

}  // namespace

SubordinateIds FindSubordinateIds(absl::string_view subuid, absl::string_view subgid,
                                  absl::string_view user) {
  const SubordinateIds uids = FirstRange(subuid, user), gids = FirstRange(subgid, user);
  return uids.first == gids.first && uids.count == gids.count ? uids : SubordinateIds();
}

absl::StatusOr<Host> DetectHost(absl::string_view driver) {
  Host host;
  BULKHEAD_ASSIGN_OR_RETURN(host.cgroup_mode, base::DetectCgroupMode());
  const bool systemd = SystemdIsInit();
  if (driver == "systemd" && !systemd) {
    return absl::FailedPreconditionError("cgroup_driver: systemd is not init on this node");
  }
  host.systemd_driver = systemd && driver != "cgroupfs";
  utsname name;
  if (uname(&name) != 0) return base::ErrnoStatus("uname");
  host.kernel = name.release;
  host.hostname = name.nodename;
  host.selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;
  absl::StatusOr<std::string> apparmor =
      base::ReadFile("/sys/module/apparmor/parameters/enabled", 8);
  host.apparmor = apparmor.ok() && *apparmor == "Y\n";
  // Neither has to be there.
  host.subordinate = FindSubordinateIds(
      base::ReadFile("/etc/subuid", kMaxSubordinateBytes).value_or(""),
      base::ReadFile("/etc/subgid", kMaxSubordinateBytes).value_or(""), kSubordinateUser);
  return host;
}

}  // namespace bulkhead::tools
