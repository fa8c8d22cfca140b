#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};

}  // namespace

constexpr Profile kImportProfile = {
    .kind = Kind::kImport,
    .name = "import",
    .purpose = "find the images in an archive",
    .input = "broker: a job and a file; the archive comes from anywhere",
    .user = "bulkhead-parse",
    .uid = kParseUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 16, .memory_bytes = 128ull << 20, .pids = 4, .wall_seconds = 600},
};
static_assert(EveryRowHasReason(kImportProfile));

}  // namespace bulkhead::security
