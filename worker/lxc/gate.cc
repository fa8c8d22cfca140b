#include "worker/lxc/gate.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/unique_fd.h"

namespace bulkhead::lxc {

int RunGate(const std::string& bundle) {
  // The library's process is the parent; without it there is nothing to wait for.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It was executed as root, and needs no power for what it does.
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) return 1;
  const char* pid = getenv("LXC_PID");
  if (pid == nullptr) return 1;
  const base::UniqueFd gate(
      open((bundle + "/" + kGatePipe).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  const base::UniqueFd ready(
      open((bundle + "/" + kReadyPipe).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!gate || !ready) return 1;
  const size_t size = strlen(pid);
  if (write(ready.get(), pid, size) != static_cast<ssize_t>(size)) return 1;
  // A container that was killed meanwhile has no start to wait for.
  const base::UniqueFd first(static_cast<int>(syscall(SYS_pidfd_open, atoi(pid), 0)));
  pollfd entries[] = {{gate.get(), POLLIN, 0}, {first.get(), POLLIN, 0}};
  while (poll(entries, 2, -1) < 0 && errno == EINTR) {
  }
  if (!first || entries[1].revents != 0) return 1;
  char byte = 0;
  return read(gate.get(), &byte, 1) == 1 && byte == 's' ? 0 : 1;
}

}  // namespace bulkhead::lxc
