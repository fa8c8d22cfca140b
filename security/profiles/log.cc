#include <linux/capability.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_DAC_OVERRIDE, "make a log in another owner's directory, as launch does at create"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(openat2), "the log's directory and the log, without following a link"},
    {SCMP_SYS(mkdirat), "the log's directory, where it is missing"},
    {SCMP_SYS(umask), "the mode that the log had before its rotation"},
};

}  // namespace

constexpr Profile kLogProfile = {
    .kind = Kind::kLog,
    .name = "log",
    .purpose = "open a container's log file after its rotation",
    .input = "broker: one path; not a byte of any file",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    // The node's mounts, whatever /var/log lies on; its own copy of them, where nothing can be
    // mounted.
    .view = View::kHost,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 32, .memory_bytes = 16ull << 20, .pids = 4, .wall_seconds = 10},
};
static_assert(EveryRowHasReason(kLogProfile));

}  // namespace bulkhead::security
