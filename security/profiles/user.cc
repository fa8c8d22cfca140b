#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};

}  // namespace

constexpr Profile kUserProfile = {
    .kind = Kind::kUser,
    .name = "user",
    .purpose = "look one user up in the passwd and group files of one root file system",
    .input = "broker: a job; the files come from whoever built the image",
    .user = "bulkhead-parse",
    .uid = kParseUid,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 32, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 10},
};
static_assert(EveryRowHasReason(kUserProfile));

}  // namespace bulkhead::security
