#include <linux/capability.h>

#include "security/profile.h"

namespace bulkhead::security {
namespace {

// No program of the node stands between this process and the container, which would hold all again
// as root executes it.
constexpr char kGiven[] =
    "a container may be given it, and one with no_new_privs gets no more than its parent holds";
constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "namespaces and mounts of the container, made by liblxc"},
    {CAP_CHOWN, "owner of the container's terminal, streams and log"},
    {CAP_DAC_OVERRIDE, "write bundle, log and mount points in other owners' directories"},
    {CAP_FOWNER, "modes in the bundle"},
    {CAP_KILL, "end what liblxc left running"},
    {CAP_SETUID, "the container's user; the monitor's uid, when it becomes one"},
    {CAP_SETGID, "the container's groups; the monitor's gid, when it becomes one"},
    {CAP_SETPCAP, "the container's bounding set; drop its own, when it becomes the monitor"},
    {CAP_SYS_PTRACE, "look at the container's first process, and join its namespaces for exec"},
    {CAP_SYS_RESOURCE, "the container's oom_score_adj, where it is below this process's own"},
    {CAP_SYS_CHROOT, "a command joins the container's mount namespace"},
    {CAP_DAC_READ_SEARCH, kGiven},
    {CAP_FSETID, kGiven},
    {CAP_LINUX_IMMUTABLE, kGiven},
    {CAP_NET_BIND_SERVICE, kGiven},
    {CAP_NET_BROADCAST, kGiven},
    {CAP_NET_ADMIN, kGiven},
    {CAP_NET_RAW, kGiven},
    {CAP_IPC_LOCK, kGiven},
    {CAP_IPC_OWNER, kGiven},
    {CAP_SYS_MODULE, kGiven},
    {CAP_SYS_RAWIO, kGiven},
    {CAP_SYS_PACCT, kGiven},
    {CAP_SYS_BOOT, kGiven},
    {CAP_SYS_NICE, kGiven},
    {CAP_SYS_TIME, kGiven},
    {CAP_SYS_TTY_CONFIG, kGiven},
    {CAP_MKNOD, kGiven},
    {CAP_LEASE, kGiven},
    {CAP_AUDIT_WRITE, kGiven},
    {CAP_AUDIT_CONTROL, kGiven},
    {CAP_SETFCAP, kGiven},
    {CAP_MAC_OVERRIDE, kGiven},
    {CAP_MAC_ADMIN, kGiven},
    {CAP_SYSLOG, kGiven},
    {CAP_WAKE_ALARM, kGiven},
    {CAP_BLOCK_SUSPEND, kGiven},
    {CAP_AUDIT_READ, kGiven},
    {CAP_PERFMON, kGiven},
    {CAP_BPF, kGiven},
    {CAP_CHECKPOINT_RESTORE, kGiven},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<root_dir>", true, Dir::kRoot},
    {5, "<run_dir>", true, Dir::kRun},
};

}  // namespace

// As launch, but with liblxc in the place of a program: a process of its own, forked before
// anything is made, calls the library and becomes the container's parent. That one gives all of
// this up but CAP_KILL once the container runs (worker/lxc/keeper.cc).
constexpr Profile kLxcProfile = {
    .kind = Kind::kLxc,
    .name = "lxc",
    .purpose =
        "write liblxc's configuration from typed fields and make containers with it; then become "
        "the monitor",
    .input = "broker: a job of typed fields, checked again against the ceiling",
    .user = "root",
    .uid = 0,
    .confinement = Confinement::kInheritable,
    .capabilities = kCaps,
    .namespaces = {.mount = Ns::kNew,
                   .pid = Ns::kHost,
                   .net = Ns::kHost,
                   .ipc = Ns::kHost,
                   .uts = Ns::kHost,
                   .cgroup = Ns::kHost},
    .view = View::kHost,
    .fds = kFds,
    .limits = {.nofile = 0, .memory_bytes = 128ull << 20, .pids = 256, .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kLxcProfile));

}  // namespace bulkhead::security
