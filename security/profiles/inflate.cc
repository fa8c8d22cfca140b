#include <seccomp.h>
#include <sys/resource.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};
constexpr ArgRule kOwnCpu[] = {{0, kLow32, 0}, {1, kLow32, RLIMIT_CPU}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(prlimit64), "lower its own CPU limit", kOwnCpu},
};

}  // namespace

constexpr Profile kInflateProfile = {
    .kind = Kind::kInflate,
    .name = "inflate",
    .purpose = "hash and decompress one layer from a file to a pipe",
    .input = "broker: a job; the blob comes from whoever built the image",
    .user = "bulkhead-inflate",
    .uid = kInflateUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 16, .memory_bytes = 224ull << 20, .pids = 4, .wall_seconds = 3600},
};
static_assert(EveryRowHasReason(kInflateProfile));

}  // namespace bulkhead::security
