#include <asm/ioctls.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <cerrno>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

// The C library has the name services "files" and "dns" built in (glibc 2.34), so no shared object
// is loaded later.
constexpr Path kPaths[] = {
    {"/etc/resolv.conf", Access::kRead, "name servers"},
    {"/etc/hosts", Access::kRead, "names set by the administrator"},
    {"/etc/host.conf", Access::kRead, "order of name services"},
    {"/etc/nsswitch.conf", Access::kRead, "order of name services"},
    {"/etc/gai.conf", Access::kRead, "order of addresses"},
    {"/etc/services", Access::kRead, "names of ports"},
    {"/etc/ssl", Access::kRead, "certificate authorities (Debian)"},
    {"/usr/lib/ssl", Access::kRead, "links to /etc/ssl (Debian)"},
    {"/usr/share/ca-certificates", Access::kRead, "certificate authorities (Debian)"},
    {"/usr/local/share/ca-certificates", Access::kRead,
     "certificate authorities of this node (Debian)"},
    {"/etc/pki", Access::kRead, "certificate authorities (Fedora)"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "how registries are reached: read before the network is, then closed", true,
     Dir::kRegistries},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet,    &kFileSet,
                                       &kTreeSet,    &kEventLoopSet, &kThreadSet};
constexpr ArgRule kTcp4[] = {{0, kLow32, AF_INET}, {1, 0xf, SOCK_STREAM}, {2, kLow32, IPPROTO_TCP}};
constexpr ArgRule kTcp6[] = {
    {0, kLow32, AF_INET6}, {1, 0xf, SOCK_STREAM}, {2, kLow32, IPPROTO_TCP}};
constexpr ArgRule kIp4[] = {{0, kLow32, AF_INET}, {1, 0xf, SOCK_STREAM}, {2, kLow32, 0}};
constexpr ArgRule kIp6[] = {{0, kLow32, AF_INET6}, {1, 0xf, SOCK_STREAM}, {2, kLow32, 0}};
constexpr ArgRule kUdp4[] = {{0, kLow32, AF_INET}, {1, 0xf, SOCK_DGRAM}};
constexpr ArgRule kUdp6[] = {{0, kLow32, AF_INET6}, {1, 0xf, SOCK_DGRAM}};
constexpr ArgRule kUnix[] = {{0, kLow32, AF_UNIX}};
constexpr ArgRule kNetlink[] = {{0, kLow32, AF_NETLINK}};
constexpr ArgRule kAvailable[] = {{1, kLow32, FIONREAD}};
constexpr ArgRule kNonBlocking[] = {{1, kLow32, FIONBIO}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(socket), "HTTP", kTcp4},
    {SCMP_SYS(socket), "HTTP", kTcp6},
    {SCMP_SYS(socket), "HTTP, large name service answers", kIp4},
    {SCMP_SYS(socket), "HTTP, large name service answers", kIp6},
    {SCMP_SYS(socket), "name service, choice of addresses", kUdp4},
    {SCMP_SYS(socket), "name service, choice of addresses", kUdp6},
    {SCMP_SYS(socket), "the C library looks for a name service cache", kUnix, EAFNOSUPPORT},
    {SCMP_SYS(socket), "the C library asks for interfaces, and can do without", kNetlink,
     EAFNOSUPPORT},
    {SCMP_SYS(connect), "HTTP, name service"},
    {SCMP_SYS(sendmmsg), "name service: both questions at once"},
    {SCMP_SYS(ioctl), "bytes that wait", kAvailable},
    {SCMP_SYS(ioctl), "non-blocking", kNonBlocking},
    {SCMP_SYS(stat), "curl, OpenSSL: certificate files"},
    {SCMP_SYS(access), "OpenSSL: configuration"},
    {SCMP_SYS(uname), "the C library: domain of this host"},
    {SCMP_SYS(getuid), "OpenSSL: not set-user-ID"},
    {SCMP_SYS(getgid), "OpenSSL: not set-group-ID"},
    {SCMP_SYS(getegid), "OpenSSL: not set-group-ID"},
    {SCMP_SYS(gettimeofday), "time, where the vdso has no clock"},
};

}  // namespace

constexpr Profile kFetchProfile = {
    .kind = Kind::kFetch,
    .name = "fetch",
    .purpose = "download one image's documents and blobs from a registry into files handed to it",
    .input = "broker: a job; registries and whoever stands between: HTTP, TLS, DNS",
    .user = "bulkhead-fetch",
    .uid = kFetchUid,
    .namespaces = {.net = Ns::kHost},
    .view = View::kListed,
    .paths = kPaths,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 256,
               .nproc = 64,
               .memory_bytes = 256ull << 20,
               .pids = 64,
               .wall_seconds = 3600},
};
static_assert(EveryRowHasReason(kFetchProfile));

}  // namespace bulkhead::security
