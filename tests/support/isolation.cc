#include "tests/support/isolation.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cstring>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bulkhead::test {
namespace {

absl::Status LoopbackUp() {
  base::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::ErrnoStatus("make socket");
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return base::ErrnoStatus("set lo up");
  return absl::OkStatus();
}

}  // namespace

absl::Status EnterPrivateNamespaces() {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) != 0) return base::ErrnoStatus("unshare");
  for (unsigned long propagation : {MS_PRIVATE, MS_SHARED}) {
    if (mount(nullptr, "/", nullptr, MS_REC | propagation, nullptr) != 0) {
      return base::ErrnoStatus("set propagation of /");
    }
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return base::ErrnoStatus("become subreaper");
  return LoopbackUp();
}

}  // namespace bulkhead::test
