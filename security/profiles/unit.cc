#include <linux/capability.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "systemd asks it of who makes or changes units; no call of this table uses it"},
};
constexpr Path kPaths[] = {
    {"/run/dbus/system_bus_socket", Access::kRead, "the way to systemd"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet};
constexpr ArgRule kUnixStream[] = {{0, kLow32, AF_UNIX}, {1, 0xf, SOCK_STREAM}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(socket), "the system bus", kUnixStream},
    {SCMP_SYS(connect), "the system bus"},
    {SCMP_SYS(getsockopt), "the system bus: buffers, and who is there"},
    {SCMP_SYS(setsockopt), "the system bus: buffers"},
    {SCMP_SYS(getsockname), "the system bus: what kind of socket"},
    {SCMP_SYS(getpeername), "the system bus: what kind of socket"},
};

}  // namespace

constexpr Profile kUnitProfile = {
    .kind = Kind::kUnit,
    .name = "unit",
    .purpose = "have systemd make, limit or remove the slice of one pod, or limit one container",
    .input = "broker: a job of one unit's name and limits; systemd: answers over D-Bus",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    .view = View::kListed,
    .paths = kPaths,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 64, .memory_bytes = 64ull << 20, .pids = 4, .wall_seconds = 60},
};
static_assert(EveryRowHasReason(kUnitProfile));

}  // namespace bulkhead::security
