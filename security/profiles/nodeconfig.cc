#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};

}  // namespace

constexpr Profile kNodeconfigProfile = {
    .kind = Kind::kNodeconfig,
    .name = "nodeconfig",
    .purpose = "parse a seccomp profile or CDI specs of the node",
    .input = "broker: a job and files, which are the administrator's or a device plugin's",
    .user = "bulkhead-parse",
    .uid = kParseUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 96, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 10},
};
static_assert(EveryRowHasReason(kNodeconfigProfile));

}  // namespace bulkhead::security
