#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};

}  // namespace

constexpr Profile kExportProfile = {
    .kind = Kind::kExport,
    .name = "export",
    .purpose = "write one image as an archive",
    .input = "broker: a job and files; the blobs come from whoever built the image",
    .user = "bulkhead-parse",
    .uid = kParseUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .limits = {.nofile = 80, .memory_bytes = 128ull << 20, .pids = 4, .wall_seconds = 1800},
};
static_assert(EveryRowHasReason(kExportProfile));

}  // namespace bulkhead::security
