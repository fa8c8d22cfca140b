#include "worker/sandbox/namespaces.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/mount.h"
#include "base/status.h"
#include "security/policy/sysctl.h"
#include "worker/sandbox/pod_directory.h"

namespace bulkhead::sandbox {
namespace {

// What procfs shows below net, and of ipc and mqueue, follows the process that opens it.
absl::StatusOr<base::UniqueFd> OpenSysctls() {
  return base::OpenAt(AT_FDCWD, "/proc/sys", O_RDONLY | O_DIRECTORY, base::Resolve::kHost);
}

absl::Status WriteSysctl(int sysctls, const std::string& path, absl::string_view value) {
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd fd, base::OpenAt(sysctls, path, O_WRONLY, base::Resolve::kBeneathNoSymlinks));
  const std::string line = absl::StrCat(value, "\n");
  const ssize_t put = write(fd.get(), line.data(), line.size());
  if (put < 0) return base::ErrnoStatus(absl::StrCat("write ", path));
  return absl::OkStatus();
}

absl::Status LoopbackUp() {
  base::UniqueFd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_fd) return base::ErrnoStatus("socket");
  ifreq request = {};
  strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  if (ioctl(socket_fd.get(), SIOCGIFFLAGS, &request) != 0) return base::ErrnoStatus("look at lo");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(socket_fd.get(), SIOCSIFFLAGS, &request) != 0) return base::ErrnoStatus("lo up");
  return absl::OkStatus();
}

absl::Status Pin(int pod, const char* name) {
  const std::string path = absl::StrCat("/proc/self/ns/", name);
  base::UniqueFd ns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns) return base::ErrnoStatus(absl::StrCat("open ", path));
  return PinNamespace(pod, name, ns.get());
}

}  // namespace

absl::Status EnterNewNamespaces(schema::SandboxJob::Make::Reader make) {
  int flags = 0;
  if (make.getNewNetwork()) flags |= CLONE_NEWNET;
  if (make.getNewIpc()) flags |= CLONE_NEWIPC;
  if (make.getNewUts()) flags |= CLONE_NEWUTS;
  if (flags == 0 || unshare(flags) == 0) return absl::OkStatus();
  return base::ErrnoStatus("unshare");
}

absl::Status SetUpNetwork() {
  BULKHEAD_RETURN_IF_ERROR(LoopbackUp());
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd sysctls, OpenSysctls());
  for (const char* which : {"all", "default"}) {
    const absl::Status status =
        WriteSysctl(sysctls.get(), absl::StrCat("net/ipv6/conf/", which, "/accept_ra"), "0");
    // A node without IPv6.
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return absl::OkStatus();
}

absl::Status SetHostname(absl::string_view hostname) {
  if (sethostname(hostname.data(), hostname.size()) == 0) return absl::OkStatus();
  return base::ErrnoStatus("sethostname");
}

absl::Status ApplySysctls(capnp::List<schema::Label>::Reader sysctls) {
  if (sysctls.size() == 0) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd directory, OpenSysctls());
  for (const auto sysctl : sysctls) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string path, security::SysctlPath(sysctl.getKey().cStr()));
    const absl::Status status = WriteSysctl(directory.get(), path, sysctl.getValue().cStr());
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("config.linux.sysctls[", sysctl.getKey().cStr(), "]: ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status PinNamespaces(int pod, schema::SandboxJob::Make::Reader make) {
  if (make.getNewNetwork()) BULKHEAD_RETURN_IF_ERROR(Pin(pod, kNetworkPin));
  if (make.getNewIpc()) BULKHEAD_RETURN_IF_ERROR(Pin(pod, kIpcPin));
  if (make.getNewUts()) BULKHEAD_RETURN_IF_ERROR(Pin(pod, kUtsPin));
  return absl::OkStatus();
}

absl::Status PinNamespace(int pod, const char* name, int ns) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd mount, base::CloneMount(ns, "", false));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd target, MakeMountPoint(pod, name));
  return base::Annotate(base::AttachMount(mount.get(), target.get()), absl::StrCat("pin ", name));
}

absl::Status MountShm(int pod, uint64_t bytes, uint32_t owner) {
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd mount,
      base::MountDetached("tmpfs",
                          {{"source", "shm"},
                           {"mode", "1777"},
                           {"size", absl::StrCat(bytes)},
                           {"uid", absl::StrCat(owner)},
                           {"gid", absl::StrCat(owner)}},
                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(pod, kShmMount, 0711));
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd target,
      base::OpenAt(pod, kShmMount, O_PATH | O_DIRECTORY, base::Resolve::kBeneathNoSymlinks));
  return base::Annotate(base::AttachMount(mount.get(), target.get()), "mount shm");
}

}  // namespace bulkhead::sandbox
