#include <linux/capability.h>

#include "security/profile.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "attach the container's mounts in a mount namespace of its own"},
    {CAP_CHOWN, "owner of the container's terminal and log"},
    {CAP_DAC_OVERRIDE, "write bundle and log in other owners' directories"},
    {CAP_FOWNER, "modes in the bundle"},
    {CAP_KILL, "end what a runtime left running"},
    {CAP_SETUID, "the monitor's uid, when it becomes one"},
    {CAP_SETGID, "the monitor's gid, when it becomes one"},
    {CAP_SETPCAP, "drop capabilities, when it becomes the monitor"},
    {CAP_SYS_PTRACE, "look at the container's first process, which may be anyone"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<root_dir>", true, Dir::kRoot},
    {5, "<run_dir>: pods' files and namespaces; the policy of pods", true, Dir::kRun},
};

}  // namespace

// The parent of the OCI runtime and so an ancestor of the container: nothing is taken here that a
// container may have. The runtime's program, started as root, gets the full bounding set again.
constexpr Profile kLaunchProfile = {
    .kind = Kind::kLaunch,
    .name = "launch",
    .purpose =
        "write config.json from typed fields and run the OCI runtime; for create, become the "
        "monitor",
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
static_assert(EveryRowHasReason(kLaunchProfile));

}  // namespace bulkhead::security
