#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};

}  // namespace

constexpr Profile kVerifyProfile = {
    .kind = Kind::kVerify,
    .name = "verify",
    .purpose = "check the signatures of one image against the policy's keys",
    .input = "broker: a job and files; signatures come from a registry or an archive",
    .user = "bulkhead-parse",
    .uid = kParseUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 32, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 30},
};
static_assert(EveryRowHasReason(kVerifyProfile));

}  // namespace bulkhead::security
