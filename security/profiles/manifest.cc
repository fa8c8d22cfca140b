#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};

}  // namespace

constexpr Profile kManifestProfile = {
    .kind = Kind::kManifest,
    .name = "manifest",
    .purpose = "hash one JSON document of an image, then parse it",
    .input = "broker: a job and a file; the document comes from a registry or an archive",
    .user = "bulkhead-parse",
    .uid = kParseUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 16, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 30},
};
static_assert(EveryRowHasReason(kManifestProfile));

}  // namespace bulkhead::security
