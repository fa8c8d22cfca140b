#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_KILL, "signal processes of any user"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "the cgroup file system", true, Dir::kCgroup},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(pidfd_send_signal), "the signal"},
    {SCMP_SYS(pidfd_open), "pin a process of a cgroup while it is looked up again"},
};

}  // namespace

constexpr Profile kSignalProfile = {
    .kind = Kind::kSignal,
    .name = "signal",
    .purpose = "send one signal to one container",
    .input = "broker: a job",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    // A pidfd can be signalled, and a cgroup's members have numbers, only where they are visible:
    // the node's pids.
    .namespaces = {.pid = Ns::kHost},
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 128, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 30},
};
static_assert(EveryRowHasReason(kSignalProfile));

}  // namespace bulkhead::security
