#include "worker/mount/layer_ids_for_test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/mount.h"
#include "base/status.h"
#include "security/layer_ids.h"

namespace bulkhead::mount {
namespace {

// A child in a user namespace of its own, which lives until its end of a pipe closes.
class Helper {
 public:
  static absl::StatusOr<Helper> Start() {
    BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pipe, base::MakePipe());
    const long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) return base::ErrnoStatus("clone a user namespace");
    if (pid == 0) {
      close(pipe.second.get());
      char byte;
      const ssize_t end = read(pipe.first.get(), &byte, 1);
      _exit(end == 0 ? 0 : 1);
    }
    return Helper(static_cast<pid_t>(pid), std::move(pipe.second));
  }
  Helper(Helper&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), alive_(std::move(other.alive_)) {}
  ~Helper() {
    alive_.Reset();
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  Helper(pid_t pid, base::UniqueFd alive) : pid_(pid), alive_(std::move(alive)) {}
  pid_t pid_;
  base::UniqueFd alive_;
};

}  // namespace

absl::StatusOr<base::UniqueFd> LayerUserNamespace() {
  BULKHEAD_ASSIGN_OR_RETURN(Helper helper, Helper::Start());
  // A procfs of this process's own pid namespace: the node's /proc counts pids differently.
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd proc, base::MountDetached("proc", {}, 0));
  const std::string map = absl::StrCat(security::kLayerIdShift, " 0 ", security::kLayerIdCount);
  for (const char* file : {"uid_map", "gid_map"}) {
    BULKHEAD_RETURN_IF_ERROR(
        base::WriteKernelFile(proc.get(), absl::StrCat(helper.pid(), "/", file), map));
  }
  const std::string path = absl::StrCat(helper.pid(), "/ns/user");
  base::UniqueFd userns(openat(proc.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!userns) return base::ErrnoStatus("open the layers' user namespace");
  return userns;
}

}  // namespace bulkhead::mount
