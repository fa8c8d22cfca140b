#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

// All of them in a user namespace, where every owner is mapped to itself: power over files, none
// over the node.
constexpr Cap kCaps[] = {
    {CAP_DAC_OVERRIDE, "delete in any owner's directory, readable or not"},
    {CAP_FOWNER, "delete in sticky directories"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<root_dir>/layers", true, Dir::kLayers},
    {5, "<root_dir>/containers", true, Dir::kContainers},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(unlinkat), "delete"},
    {SCMP_SYS(renameat2), "take the name away first"},
    {SCMP_SYS(renameat), "take the name away first"},
    {SCMP_SYS(fchmod), "directories without permission"},
    {SCMP_SYS(fchmodat), "directories without permission"},
};

}  // namespace

constexpr Profile kRemoveProfile = {
    .kind = Kind::kRemove,
    .name = "remove",
    .purpose = "delete one layer or one container's writable directory",
    .input = "broker: a job; file names come from images and containers",
    .user = "root of a user namespace (all ids)",
    .uid = 0,
    .capabilities = kCaps,
    .namespaces = {.user = Ns::kNew},
    .id_map = IdMap::kIdentity,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 2048, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 600},
};
static_assert(EveryRowHasReason(kRemoveProfile));

}  // namespace bulkhead::security
