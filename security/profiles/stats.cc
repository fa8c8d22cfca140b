#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "the cgroup file system, to read", true, Dir::kCgroup, false, Access::kRead},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(openat), "counters of a cgroup; its list of processes, for handles"},
    {SCMP_SYS(openat2), "directory of a cgroup"},
    {SCMP_SYS(sendto), "ask a route-netlink socket that came with the job for its interfaces"},
    {SCMP_SYS(recvfrom), "and read the answer"},
};

}  // namespace

// What the frontend could do itself with a view of the cgroups. But the frontend is who the world
// talks to: it has no file at all, and so it stays; nobody but the broker talks to this one, which
// lives for milliseconds.
constexpr Profile kStatsProfile = {
    .kind = Kind::kStats,
    .name = "stats",
    .purpose = "read the kernel's counters of cgroups and network interfaces",
    .input = "broker: paths of cgroups; the kernel: numbers, and names of pods' interfaces",
    .user = "bulkhead-stats",
    .uid = kStatsUid,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 320, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 20},
};
static_assert(EveryRowHasReason(kStatsProfile));

}  // namespace bulkhead::security
