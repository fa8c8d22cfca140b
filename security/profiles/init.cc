#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker, closed after the answer", false, Dir::kRoot, true},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kEventLoopSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(wait4), "reap the pod's orphans"},
    {SCMP_SYS(pidfd_open), "a pidfd of itself, by which containers join the namespace"},
    {SCMP_SYS(getpid), "its own number, always 1"},
};

}  // namespace

constexpr Profile kInitProfile = {
    .kind = Kind::kInit,
    .name = "init",
    .purpose = "be the first process of a pod's shared PID namespace",
    .input = "the broker: one byte; the pod: exits of its orphans",
    .user = "bulkhead-monitor",
    .uid = kMonitorUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 32, .memory_bytes = 16ull << 20, .pids = 8, .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kInitProfile));

}  // namespace bulkhead::security
