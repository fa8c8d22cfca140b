#include <linux/capability.h>

#include "security/profile.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "clone into new pid and user namespaces"},
    {CAP_SETUID, "write the uid map of a worker's user namespace"},
    {CAP_SETGID, "write the gid map of a worker's user namespace"},
    {CAP_SETFCAP, "map uid 0 into a worker's user namespace"},
    {CAP_SYS_PTRACE, "write the maps of a child that already is another user"},
    {CAP_DAC_OVERRIDE,
     "write cgroup files whoever owns them; start programs that others cannot read"},
    {CAP_KILL, "kill workers, which run under other uids"},
};
constexpr FdRow kFds[] = {
    {3, "SEQPACKET socket to the broker", false, Dir::kRoot, true},
    {4, "the configuration, a sealed memfd"},
    {5, "directory of the programs, O_PATH"},
    {6, "SEQPACKET control socket from the supervisor"},
};

}  // namespace

// An ancestor of every container: what is taken from it would be missing there (bounding set,
// no_new_privs, seccomp, limits, cgroup). Its safety is its size: no parser, fixed structs,
// compiled-in kinds.
constexpr Profile kSpawnerProfile = {
    .kind = Kind::kSpawner,
    .name = "spawner",
    .purpose = "start and reap workers of compiled-in kinds, one cgroup each",
    .input = "the broker: fixed structs of two kinds; the supervisor: a new broker socket",
    .user = "root",
    .uid = 0,
    .confinement = Confinement::kInheritable,
    .capabilities = kCaps,
    .namespaces = {.mount = Ns::kHost,
                   .pid = Ns::kHost,
                   .net = Ns::kHost,
                   .ipc = Ns::kHost,
                   .uts = Ns::kHost,
                   .cgroup = Ns::kHost},
    .view = View::kHost,
    .fds = kFds,
    .limits = {.nofile = 0, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kSpawnerProfile));

}  // namespace bulkhead::security
