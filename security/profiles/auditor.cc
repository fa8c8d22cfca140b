#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "socket to the broker: records in, receipts out"},
    {4, "<root_dir>/audit: segments and keys"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(flock), "only one writes the log"},
    {SCMP_SYS(renameat), "a new key takes the old one's name"},
};

}  // namespace

constexpr Profile kAuditorProfile = {
    .kind = Kind::kAuditor,
    .name = "auditor",
    .purpose = "write the audit log: number, chain, key and seal what the broker records",
    .input = "broker: records that it stores and does not read",
    .user = "bulkhead-auditor",
    .uid = kAuditorUid,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits =
        {.nofile = 32, .nproc = 16, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kAuditorProfile));

}  // namespace bulkhead::security
