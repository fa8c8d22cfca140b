#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

// In a user namespace, where every owner is mapped to itself: power over files, none over the node.
constexpr Cap kCaps[] = {
    {CAP_DAC_READ_SEARCH, "read what only its owner in the image may read"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<root_dir>/layers", true, Dir::kLayers},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(flistxattr), "extended attributes are part of a layer"},
    {SCMP_SYS(fgetxattr), "extended attributes are part of a layer"},
};

}  // namespace

constexpr Profile kCheckProfile = {
    .kind = Kind::kCheck,
    .name = "check",
    .purpose = "hash one file or layer of the store",
    .input = "broker: a job; file names and contents come from images",
    .user = "root of a user namespace (all ids)",
    .uid = 0,
    .capabilities = kCaps,
    .namespaces = {.user = Ns::kNew},
    .id_map = IdMap::kIdentity,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 2048, .memory_bytes = 128ull << 20, .pids = 4, .wall_seconds = 3600},
};
static_assert(EveryRowHasReason(kCheckProfile));

}  // namespace bulkhead::security
