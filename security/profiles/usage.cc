#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

// In a user namespace where every owner is mapped to itself: power over directories, none over the
// node.
constexpr Cap kCaps[] = {
    {CAP_DAC_READ_SEARCH, "list directories of any owner, readable or not"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<root_dir>/containers, to list", true, Dir::kContainers, false, Access::kList},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(openat2), "directories"},
    {SCMP_SYS(getdents64), "their entries"},
    {SCMP_SYS(newfstatat), "sizes"},
    {SCMP_SYS(fstatfs), "size of the file system"},
};

}  // namespace

constexpr Profile kUsageProfile = {
    .kind = Kind::kUsage,
    .name = "usage",
    .purpose = "count the bytes and files of containers' writable layers",
    .input = "broker: ids of containers; file names come from containers, no contents are read",
    .user = "root of a user namespace (all ids)",
    .uid = 0,
    .capabilities = kCaps,
    .namespaces = {.user = Ns::kNew},
    .id_map = IdMap::kIdentity,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 1024, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 120},
};
static_assert(EveryRowHasReason(kUsageProfile));

}  // namespace bulkhead::security
