#include <linux/capability.h>

#include "security/profile.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "plugins enter the pod's network namespace"},
    {CAP_NET_ADMIN, "plugins make links, addresses, routes and firewall rules"},
    {CAP_NET_RAW, "plugins announce addresses"},
    {CAP_DAC_OVERRIDE, "open the network configuration; plugins keep state where they like"},
    {CAP_KILL, "a plugin that does not end"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<run_dir>: whether the pod's network namespace is pinned there, and its path", true,
     Dir::kRun},
};

}  // namespace

// An ancestor of third-party plugins, which nftables, iptables and modprobe may follow: nothing is taken that they
// could miss.
constexpr Profile kNetworkProfile = {
    .kind = Kind::kNetwork,
    .name = "network",
    .purpose = "run CNI plugins for one pod and pass their input and output on unread",
    .input = "broker: a job; the cni worker: which plugin and its input",
    .user = "root",
    .uid = 0,
    .confinement = Confinement::kInheritable,
    .capabilities = kCaps,
    .namespaces = {.mount = Ns::kHost, .pid = Ns::kHost, .net = Ns::kHost, .ipc = Ns::kHost,
                   .uts = Ns::kHost, .cgroup = Ns::kHost},
    .view = View::kHost,
    .fds = kFds,
    .limits = {.nofile = 0, .memory_bytes = 512ull << 20, .pids = 1024, .wall_seconds = 300},
};
static_assert(EveryRowHasReason(kNetworkProfile));

}  // namespace bulkhead::security
