#include <seccomp.h>
#include <sys/resource.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};
constexpr ArgRule kOwnCpu[] = {{0, kLow32, 0}, {1, kLow32, RLIMIT_CPU}};
constexpr ArgRule kOwnMemory[] = {{0, kLow32, 0}, {1, kLow32, RLIMIT_DATA}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(prlimit64), "lower its own CPU limit", kOwnCpu},
    {SCMP_SYS(prlimit64), "lower its own memory limit", kOwnMemory},
    {SCMP_SYS(umask), "libarchive asks for it"},
    {SCMP_SYS(getuid), "libarchive asks who it is"},
    {SCMP_SYS(getgid), "libarchive asks who it is"},
    {SCMP_SYS(getegid), "libarchive asks who it is"},
};

}  // namespace

constexpr Profile kPackProfile = {
    .kind = Kind::kPack,
    .name = "pack",
    .purpose = "turn a tar stream into an EROFS image in one file",
    .input = "broker: a job; the tar stream comes from whoever built the image",
    .user = "bulkhead-pack",
    .uid = kPackUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    // The page cache of the layer that it writes counts; its own memory has a limit of its own
    // (main.cc).
    .limits = {.nofile = 16, .memory_bytes = 4096ull << 20, .pids = 4, .wall_seconds = 3600},
};
static_assert(EveryRowHasReason(kPackProfile));

}  // namespace bulkhead::security
