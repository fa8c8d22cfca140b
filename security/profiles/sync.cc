#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(fsync), "what it is for"},
    {SCMP_SYS(syncfs), "what it is for, where a layer is a directory"},
};

}  // namespace

constexpr Profile kSyncProfile = {
    .kind = Kind::kSync,
    .name = "sync",
    .purpose = "wait until one layer is on the disk",
    .input = "broker: a job; no byte of an image",
    .user = "bulkhead-pack",
    .uid = kPackUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 16, .memory_bytes = 16ull << 20, .pids = 4, .wall_seconds = 3600},
};
static_assert(EveryRowHasReason(kSyncProfile));

}  // namespace bulkhead::security
