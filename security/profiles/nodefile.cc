#include <linux/capability.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_DAC_READ_SEARCH, "files and directories that their owner alone may read"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kTreeSet, &kConfineSet};

}  // namespace

// It may open any file of the node, so it reads none; Landlock, set by the worker itself before it
// looks at its job, keeps root's power over root's own files from it.
constexpr Profile kNodefileProfile = {
    .kind = Kind::kNodefile,
    .name = "nodefile",
    .purpose = "open seccomp profiles and CDI specs of the node, and hand them on unread",
    .input = "broker: a job; no byte of a file",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    .view = View::kHost,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 96, .memory_bytes = 16ull << 20, .pids = 4, .wall_seconds = 10},
};
static_assert(EveryRowHasReason(kNodefileProfile));

}  // namespace bulkhead::security
