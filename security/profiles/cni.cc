#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};

}  // namespace

constexpr Profile kCniProfile = {
    .kind = Kind::kCni,
    .name = "cni",
    .purpose = "speak CNI: compose plugin input, read plugin output",
    .input = "broker: a job and configuration files; plugins' output through the network worker",
    .user = "bulkhead-parse",
    .uid = kParseUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 64, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 300},
};
static_assert(EveryRowHasReason(kCniProfile));

}  // namespace bulkhead::security
