#include <asm/ioctls.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Path kPaths[] = {
    {"{root_dir}/state", Access::kReadWrite, "the database"},
    {"{root_dir}/blobs", Access::kReadWrite, "verified blobs are moved here and read for workers"},
    {"{root_dir}/ingest", Access::kReadWrite, "files that a fetch or an import writes into"},
    {"{root_dir}/layers", Access::kReadWrite, "makes, renames and lists layer directories"},
    {"{run_dir}/monitor", Access::kReadWrite, "listening sockets of the monitors"},
    {"/proc/sys/kernel/random/boot_id", Access::kRead, "tells a reboot from a restart"},
};
constexpr FdRow kFds[] = {
    {3, "control socket from the supervisor: brings frontends' connections"},
    {4, "socket to the spawner"},
    {5, "the admin listening socket"},
    {6, "the configuration, a sealed memfd"},
    {.fd = 7, .what = "socket to the auditor; absent where the audit log is off", .optional = true},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kEventLoopSet};
constexpr ArgRule kUnix[] = {{0, kLow32, AF_UNIX}};
constexpr ArgRule kNonBlocking[] = {{1, kLow32, FIONBIO}};
constexpr ArgRule kGetLock[] = {{1, kLow32, F_GETLK}};
constexpr ArgRule kSetLock[] = {{1, kLow32, F_SETLK}};
constexpr ArgRule kWaitLock[] = {{1, kLow32, F_SETLKW}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(socket), "talk to monitors by their sockets", kUnix},
    {SCMP_SYS(chdir), "into the monitors' directory, once: a socket's name has no room for a path"},
    {SCMP_SYS(bind), "a new monitor's listening socket"},
    {SCMP_SYS(listen), "a new monitor's listening socket"},
    {SCMP_SYS(connect), "talk to monitors by their sockets"},
    {SCMP_SYS(fcntl), "SQLite: locks", kGetLock},
    {SCMP_SYS(fcntl), "SQLite: locks", kSetLock},
    {SCMP_SYS(fcntl), "SQLite: locks", kWaitLock},
    {SCMP_SYS(ioctl), "non-blocking connections", kNonBlocking},
    {SCMP_SYS(stat), "SQLite: whether a journal exists"},
    {SCMP_SYS(lstat), "SQLite: full path of the database"},
    {SCMP_SYS(access), "SQLite: whether a journal exists"},
    {SCMP_SYS(readlink), "SQLite: full path of the database"},
    {SCMP_SYS(getcwd), "SQLite: full path of the database"},
    {SCMP_SYS(unlink), "SQLite: journals; monitors' sockets"},
    {SCMP_SYS(unlinkat), "ingest files and blobs go"},
    {SCMP_SYS(mkdirat), "a layer's directory before it counts"},
    {SCMP_SYS(renameat), "a verified file gets its name"},
    {SCMP_SYS(fchmod), "modes of its own files"},
    {SCMP_SYS(fstatfs), "whether there is space for anything but removing"},
    {SCMP_SYS(gettimeofday), "SQLite: time, where the vdso has no clock"},
};

}  // namespace

constexpr Profile kBrokerProfile = {
    .kind = Kind::kBroker,
    .name = "broker",
    .purpose = "decide by state and policy, record, and have workers do it; no power of its own",
    .input = "the frontend: Cap'n Proto calls, checked again; workers' results, checked again",
    .user = "bulkhead-broker",
    .uid = kBrokerUid,
    .namespaces = {.cgroup = Ns::kHost},
    .view = View::kListed,
    .paths = kPaths,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits =
        {.nofile = 16384, .nproc = 64, .memory_bytes = 512ull << 20, .pids = 32, .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kBrokerProfile));

}  // namespace bulkhead::security
