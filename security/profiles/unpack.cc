#include <linux/capability.h>
#include <seccomp.h>
#include <sys/resource.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

// All of them in the user namespace alone: an inode counts only where its owner is mapped there.
constexpr Cap kCaps[] = {
    {CAP_CHOWN, "owners of the files in a layer"},
    {CAP_FOWNER, "modes and times of files that are someone else's by now"},
    {CAP_FSETID, "keep set-group-ID bits"},
    {CAP_DAC_OVERRIDE, "directories that a layer made unwritable"},
    {CAP_SETFCAP, "file capabilities, stored for this user namespace"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr ArgRule kOwnCpu[] = {{0, kLow32, 0}, {1, kLow32, RLIMIT_CPU}};
constexpr ArgRule kOwnMemory[] = {{0, kLow32, 0}, {1, kLow32, RLIMIT_DATA}};
constexpr ArgRule kNoDevice[] = {{3, kLow32, 0}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(mkdirat), "directories"},
    {SCMP_SYS(linkat), "hard links"},
    {SCMP_SYS(symlinkat), "symbolic links"},
    {SCMP_SYS(unlinkat), "an entry that replaces an earlier one"},
    {SCMP_SYS(mknodat), "fifos, sockets and whiteouts (0:0); never a device", kNoDevice},
    {SCMP_SYS(fchown), "owners"},
    {SCMP_SYS(fchownat), "owners of links"},
    {SCMP_SYS(fchmod), "modes"},
    {SCMP_SYS(fchmodat), "modes"},
    {SCMP_SYS(utimensat), "times"},
    {SCMP_SYS(fsetxattr), "opaque marks, file capabilities, user attributes"},
    {SCMP_SYS(fgetxattr), "opaque marks"},
    {SCMP_SYS(flistxattr), "attributes of a replaced directory"},
    {SCMP_SYS(fremovexattr), "attributes of a replaced directory"},
    {SCMP_SYS(prlimit64), "lower its own CPU limit", kOwnCpu},
    {SCMP_SYS(prlimit64), "lower its own memory limit", kOwnMemory},
    {SCMP_SYS(umask), "libarchive asks for it"},
    {SCMP_SYS(getuid), "libarchive asks who it is"},
    {SCMP_SYS(getgid), "libarchive asks who it is"},
    {SCMP_SYS(getegid), "libarchive asks who it is"},
};

}  // namespace

constexpr Profile kUnpackProfile = {
    .kind = Kind::kUnpack,
    .name = "unpack",
    .purpose = "turn a tar stream into a layer directory",
    .input = "broker: a job; the tar stream comes from whoever built the image",
    .user = "root of a user namespace (layer ids)",
    .uid = 0,
    .capabilities = kCaps,
    .namespaces = {.user = Ns::kNew},
    .id_map = IdMap::kLayer,
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    // The page cache of the layer that it writes counts; its own memory has a limit of its own
    // (main.cc).
    .limits = {.nofile = 512, .memory_bytes = 4096ull << 20, .pids = 4, .wall_seconds = 3600},
};
static_assert(EveryRowHasReason(kUnpackProfile));

}  // namespace bulkhead::security
