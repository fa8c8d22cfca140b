#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

// All of them in a user namespace, where every owner is mapped to itself: power over files, none
// over the node.
constexpr Cap kCaps[] = {
    {CAP_CHOWN, "the copy's owners"},
    {CAP_DAC_OVERRIDE, "read what its owner cannot; write to any owner's directory"},
    {CAP_FOWNER, "the copy's modes and times"},
    {CAP_FSETID, "the copy's set-group-ID bits"},
    {CAP_SETFCAP, "the copy's file capabilities"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(mkdirat), "directories"},   {SCMP_SYS(symlinkat), "links"},
    {SCMP_SYS(fchown), "owners"},         {SCMP_SYS(fchownat), "owners of links"},
    {SCMP_SYS(fchmod), "modes"},          {SCMP_SYS(utimensat), "times"},
    {SCMP_SYS(flistxattr), "attributes"}, {SCMP_SYS(fgetxattr), "attributes"},
    {SCMP_SYS(fsetxattr), "attributes"},
};

}  // namespace

constexpr Profile kCopyupProfile = {
    .kind = Kind::kCopyup,
    .name = "copyup",
    .purpose = "copy directories of a root file system into the container's own volumes",
    .input = "broker: a job; the files come from an image",
    .user = "root of a user namespace (all ids)",
    .uid = 0,
    .capabilities = kCaps,
    .namespaces = {.user = Ns::kNew},
    .id_map = IdMap::kIdentity,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 2048, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 100},
};
static_assert(EveryRowHasReason(kCopyupProfile));

}  // namespace bulkhead::security
