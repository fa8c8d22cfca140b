#include <asm/ioctls.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr FdRow kFds[] = {
    {3, "control socket to the broker, closed after the answer", false, Dir::kRoot, true},
    {4, "listening socket for the broker", false, Dir::kRoot, true},
    {5, "the job, a memfd"},
    {6, "pidfd of the container", false, Dir::kRoot, true},
    {7, "read end of stdout, or the terminal", false, Dir::kRoot, true},
    {8, "read end of stderr", false, Dir::kRoot, true},
    {9, "the log file", false, Dir::kRoot, true},
    {10, "write end of stdin", false, Dir::kRoot, true},
    {11, "memory events of the container's cgroup", false, Dir::kRoot, true},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kEventLoopSet};
constexpr ArgRule kSetSize[] = {{1, kLow32, TIOCSWINSZ}};
constexpr ArgRule kAvailable[] = {{1, kLow32, FIONREAD}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(waitid), "exit code of the container"},
    {SCMP_SYS(wait4), "orphans of the runtime"},
    {SCMP_SYS(ioctl), "size of the terminal", kSetSize},
    {SCMP_SYS(ioctl), "bytes that wait", kAvailable},
    {SCMP_SYS(tee), "one stream to log and attached clients"},
};

}  // namespace

// Made by launch, by executing it in place: so it starts with launch's mount namespace, and its
// parent, cgroup and other namespaces are the node's. No call of its filter reaches a network, ipc
// or uts object, so namespaces of those, one set for each container of the node, would cost memory
// and protect nothing.
constexpr Profile kMonitorProfile = {
    .kind = Kind::kMonitor,
    .name = "monitor",
    .purpose = "keep a container's log, stdio and exit code until the broker has them",
    .input = "the container: its output; the broker: fixed requests on the listening socket",
    .user = "bulkhead-monitor",
    .uid = kMonitorUid,
    .namespaces = {.mount = Ns::kNew,
                   .pid = Ns::kHost,
                   .net = Ns::kHost,
                   .ipc = Ns::kHost,
                   .uts = Ns::kHost,
                   .cgroup = Ns::kHost},
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 64, .memory_bytes = 128ull << 20, .pids = 256, .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kMonitorProfile));

}  // namespace bulkhead::security
