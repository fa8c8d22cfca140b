#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_SYS_PTRACE, "read where the descriptors of others' processes lead (PTRACE_MODE_READ)"},
    {CAP_DAC_READ_SEARCH, "list /proc/<pid>/fd, which belongs to the process's user alone"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "/proc, to list", true, Dir::kProc, false, Access::kList},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet};
// A directory, and not what a link leads to: no file of the node can be opened with this, not
// /proc/<pid>/mem either.
constexpr ArgRule kDirectory[] = {{2, kLow32, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(openat), "/proc/<pid>/fd", kDirectory},
    {SCMP_SYS(getdents64), "the descriptors of a process"},
    {SCMP_SYS(readlinkat), "whether one is a socket"},
};

}  // namespace

// What stats could do itself with these capabilities. But stats opens files, and with these it
// could open any; this kind opens none, and gets the lists of processes open, from stats.
constexpr Profile kHandlesProfile = {
    .kind = Kind::kHandles,
    .name = "handles",
    .purpose = "count the descriptors and sockets that processes of containers have open",
    .input = "broker: open lists of processes; the kernel: numbers, and where descriptors lead",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    // Processes have their numbers of /proc in the node's pid namespace alone.
    .namespaces = {.pid = Ns::kHost},
    .view = View::kDirFds,
    .landlock = false,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 320, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 20},
};
static_assert(EveryRowHasReason(kHandlesProfile));

}  // namespace bulkhead::security
