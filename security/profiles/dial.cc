#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "enter the pod's network namespace"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<run_dir>: where the pod's network namespace is pinned", true, Dir::kRun},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet,
                                       &kConfineSet};
constexpr ArgRule kNetwork[] = {{1, kLow32, CLONE_NEWNET}};
constexpr ArgRule kTcp4[] = {{0, kLow32, AF_INET}, {1, 0xf, SOCK_STREAM}, {2, kLow32, IPPROTO_TCP}};
constexpr ArgRule kTcp6[] = {
    {0, kLow32, AF_INET6}, {1, 0xf, SOCK_STREAM}, {2, kLow32, IPPROTO_TCP}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(setns), "the pod's network namespace", kNetwork},
    {SCMP_SYS(fstatfs), "whether it is a namespace that is pinned"},
    {SCMP_SYS(socket), "the connection", kTcp4},
    {SCMP_SYS(socket), "the connection", kTcp6},
    {SCMP_SYS(connect), "the connection"},
    {SCMP_SYS(getsockopt), "how the connection went, and in which namespace it is"},
};

}  // namespace

constexpr Profile kDialProfile = {
    .kind = Kind::kDial,
    .name = "dial",
    .purpose = "connect to a port of one pod's loopback addresses for a port-forward",
    .input = "broker: a job",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    // Pods on the node's network are reached where it starts.
    .namespaces = {.net = Ns::kHost},
    .view = View::kDirFds,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 32, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 30},
};
static_assert(EveryRowHasReason(kDialProfile));

}  // namespace bulkhead::security
