#include <asm/ioctls.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <cerrno>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "stream socket to the broker"},
    {4, "the CRI listening socket"},
    {5, "the configuration, a sealed memfd"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kEventLoopSet,
                                       &kThreadSet};
constexpr ArgRule kAvailable[] = {{1, kLow32, FIONREAD}};
constexpr ArgRule kNonBlocking[] = {{1, kLow32, FIONBIO}};
constexpr ArgRule kUnixSocket[] = {{0, kLow32, AF_UNIX}};
constexpr ArgRule kInet[] = {{0, kLow32, AF_INET}};
constexpr ArgRule kInet6[] = {{0, kLow32, AF_INET6}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(ioctl), "gRPC: bytes that wait", kAvailable},
    {SCMP_SYS(ioctl), "non-blocking", kNonBlocking},
    {SCMP_SYS(gettimeofday), "gRPC: time, where the vdso has no clock"},
    {SCMP_SYS(getcpu), "gRPC: per-processor queues, where the vdso has none"},
    {SCMP_SYS(uname), "gRPC: name of the system"},
    {SCMP_SYS(socket), "gRPC tries what the host offers; the descriptor 4 is all it gets", kInet,
     EAFNOSUPPORT},
    {SCMP_SYS(socket), "gRPC tries what the host offers", kInet6, EAFNOSUPPORT},
    {SCMP_SYS(socket), "system log, name service", kUnixSocket, EAFNOSUPPORT},
};

}  // namespace

constexpr Profile kFrontendProfile = {
    .kind = Kind::kFrontend,
    .name = "frontend",
    .purpose = "speak CRI: check every request and hand it to the broker in typed form",
    .input = "kubelet and whoever may open the CRI socket: gRPC, all of it untrusted",
    .user = "bulkhead-frontend",
    .uid = kFrontendUid,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 4096,
               .nproc = 256,
               .memory_bytes = 512ull << 20,
               .pids = 256,
               .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kFrontendProfile));

}  // namespace bulkhead::security
