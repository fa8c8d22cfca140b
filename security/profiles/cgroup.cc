#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "the cgroup file system", true, Dir::kCgroup},
};
constexpr Cap kCaps[] = {
    {CAP_DAC_OVERRIDE, "the top of a hierarchy is read-only even to root: mode 0555"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(mkdirat), "a pod's cgroup and those above it"},
    {SCMP_SYS(unlinkat), "they go when they are empty"},
    {SCMP_SYS(fchmod), "whose user namespace is a pod's may walk to them"},
    {SCMP_SYS(fstatfs), "which directories are hierarchies of cgroup v1"},
};

}  // namespace

constexpr Profile kCgroupProfile = {
    .kind = Kind::kCgroup,
    .name = "cgroup",
    .purpose = "make, limit or remove the cgroup of one pod, change the limits of one container",
    .input = "broker: a job of a path, the name it must end with, and limits",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 128, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 30},
};
static_assert(EveryRowHasReason(kCgroupProfile));

}  // namespace bulkhead::security
