#include <asm/ioctls.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the supervisor"},
    {4, "the listening TCP socket"},
    {5, "certificate and key, a sealed memfd", false, Dir::kRoot, true},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kEventLoopSet};
// fork of the C library, which makes a process that shares nothing.
constexpr ArgRule kForkFlags[] = {
    {0, kAllBits, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD}};
constexpr ArgRule kOwnAddressSpace[] = {{0, kLow32, 0}, {1, kLow32, RLIMIT_AS}};
constexpr ArgRule kNonBlocking[] = {{1, kLow32, FIONBIO}};
constexpr ArgRule kSetSize[] = {{1, kLow32, TIOCSWINSZ}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(clone), "a process for each connection", kForkFlags},
    {SCMP_SYS(set_robust_list), "start of a process"},
    {SCMP_SYS(wait4), "connections that have ended"},
    {SCMP_SYS(prlimit64), "how much memory a connection may take", kOwnAddressSpace},
    {SCMP_SYS(ioctl), "non-blocking", kNonBlocking},
    {SCMP_SYS(ioctl), "size of a command's terminal", kSetSize},
    {SCMP_SYS(getuid), "OpenSSL: not set-user-ID"},
    {SCMP_SYS(getgid), "OpenSSL: not set-group-ID"},
    {SCMP_SYS(getegid), "OpenSSL: not set-group-ID"},
    {SCMP_SYS(gettimeofday), "time, where the vdso has no clock"},
};

}  // namespace

constexpr Profile kStreamingProfile = {
    .kind = Kind::kStreaming,
    .name = "streaming",
    .purpose =
        "carry exec, attach and port-forward between clients and containers, each in a process of "
        "its own",
    .input =
        "clients of the streaming address: HTTP, WebSocket, SPDY, TLS; what containers print; the "
        "broker's answers",
    .user = "bulkhead-streaming",
    .uid = kStreamingUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    // Of one process; each connection has at most 256 forwarded ones, two descriptors each.
    .limits = {.nofile = 1024,
               .nproc = 1024,
               .memory_bytes = 512ull << 20,
               .pids = 1024,
               .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kStreamingProfile));

}  // namespace bulkhead::security
