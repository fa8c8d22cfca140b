#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/socket.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "make namespaces and pin them by mounts"},
    {CAP_NET_ADMIN, "loopback up and net sysctls, in the new network namespace"},
    {CAP_SETUID, "map the uids of a pod's user namespace"},
    {CAP_SETGID, "map the gids of a pod's user namespace"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<run_dir>: pods' directories; the policy of pods", true, Dir::kRun},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet};
constexpr ArgRule kPodNamespaces[] = {
    {0, kLow32 & ~static_cast<uint64_t>(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS), 0}};
// A process that shares our descriptors, in a user namespace and whatever else the pod has of its
// own.
constexpr ArgRule kPodUserNamespace[] = {
    {0, kAllBits & ~static_cast<uint64_t>(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS),
     CLONE_NEWUSER | CLONE_FILES | SIGCHLD}};
constexpr ArgRule kZero[] = {{0, kLow32, 0}, {1, kLow32, 0}, {2, kLow32, 0}};
constexpr ArgRule kInetDatagram[] = {{0, kLow32, AF_INET}, {1, 0xf, SOCK_DGRAM}};
constexpr ArgRule kRouteNetlink[] = {
    {0, kLow32, AF_NETLINK}, {1, 0xf, SOCK_RAW}, {2, kLow32, NETLINK_ROUTE}};
constexpr ArgRule kNetwork[] = {{1, kLow32, CLONE_NEWNET}};
constexpr ArgRule kGetInterface[] = {{1, kLow32, SIOCGIFFLAGS}};
constexpr ArgRule kSetInterface[] = {{1, kLow32, SIOCSIFFLAGS}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(unshare), "the pod's network, ipc and uts namespaces", kPodNamespaces},
    {SCMP_SYS(clone), "the pod's user namespace, which owns the others", kPodUserNamespace},
    {SCMP_SYS(setresuid), "become root of the pod's user namespace; outside, no change", kZero},
    {SCMP_SYS(setresgid), "become root of the pod's user namespace; outside, no change", kZero},
    {SCMP_SYS(pipe2), "between us and the process in the pod's user namespace"},
    {SCMP_SYS(sethostname), "the pod's host name"},
    {SCMP_SYS(socket), "loopback up", kInetDatagram},
    {SCMP_SYS(socket), "in a pod's network: what asks for its counters", kRouteNetlink},
    {SCMP_SYS(setns), "into a pod's network, to make that socket there", kNetwork},
    {SCMP_SYS(ioctl), "loopback up", kGetInterface},
    {SCMP_SYS(ioctl), "loopback up", kSetInterface},
    {SCMP_SYS(fsopen), "the pod's /dev/shm"},
    {SCMP_SYS(fsconfig), "the pod's /dev/shm"},
    {SCMP_SYS(fsmount), "the pod's /dev/shm"},
    {SCMP_SYS(open_tree), "take a namespace as a mount"},
    {SCMP_SYS(move_mount), "pin it"},
    {SCMP_SYS(mount), "pin it"},
    {SCMP_SYS(umount2), "unpin it"},
    {SCMP_SYS(mkdirat), "the pod's directory"},
    {SCMP_SYS(unlinkat), "the pod's directory goes"},
    {SCMP_SYS(fchmod), "resolv.conf and hostname are readable by all"},
};

}  // namespace

constexpr Profile kSandboxProfile = {
    .kind = Kind::kSandbox,
    .name = "sandbox",
    .purpose = "make and pin a pod's namespaces and files, or take them away",
    .input = "broker: a job with names, addresses and sysctls, each checked again here",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    // Pins must be seen by all: the node's mounts. The pod's network, ipc and uts namespaces are
    // made by the job itself, only those that the pod asks for, so it starts in the node's.
    .namespaces = {.mount = Ns::kHost, .net = Ns::kHost, .ipc = Ns::kHost, .uts = Ns::kHost},
    .view = View::kHost,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 64, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 60},
};
static_assert(EveryRowHasReason(kSandboxProfile));

}  // namespace bulkhead::security
