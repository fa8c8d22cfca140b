#include "tools/host/host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::tools {
namespace {

// The test that sd_booted(3) documents; the command name guards against a stale directory.
bool SystemdIsInit() {
  if (access("/run/systemd/system", F_OK) != 0) return false;
  absl::StatusOr<std::string> comm = base::ReadFile("/proc/1/comm", 64);
  return comm.ok() && *comm == "systemd\n";
}

}  // namespace

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
  return host;
}

}  // namespace bulkhead::tools
