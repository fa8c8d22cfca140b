#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

namespace bulkhead::security {
namespace {

// Into the pod's user namespace it may go without any: the node's root has made that (Linux,
// security/commoncap.c, cap_capable).
constexpr Cap kCaps[] = {
    {CAP_SETUID, "take init's uid, when it becomes one"},
    {CAP_SETGID, "take init's gid, when it becomes one"},
    {CAP_SETPCAP, "drop these, when it becomes init"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker, closed after the answer"},
};
// init's own, which what this becomes must have, and below what it takes to become it.
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kEventLoopSet};
constexpr ArgRule kUserNamespace[] = {{1, kLow32, CLONE_NEWUSER}};
constexpr ArgRule kHelper[] = {{0, kAllBits, CLONE_FILES | SIGCHLD}};
constexpr ArgRule kFirstProcess[] = {
    {0, kAllBits, CLONE_NEWPID | CLONE_PARENT | CLONE_PIDFD | SIGCHLD}};
constexpr ArgRule kInitsIds[] = {
    {0, kLow32, kMonitorUid}, {1, kLow32, kMonitorUid}, {2, kLow32, kMonitorUid}};
constexpr ArgRule kRoot[] = {{0, kLow32, 0}, {1, kLow32, 0}, {2, kLow32, 0}};
constexpr ArgRule kNoGroups[] = {{0, kAllBits, 0}};
constexpr ArgRule kName[] = {{0, kLow32, PR_SET_NAME}};
constexpr ArgRule kReadBounding[] = {{0, kLow32, PR_CAPBSET_READ}};
constexpr ArgRule kDropBounding[] = {{0, kLow32, PR_CAPBSET_DROP}};
constexpr ArgRule kNotDumpable[] = {{0, kLow32, PR_SET_DUMPABLE}, {1, kAllBits, 0}};
constexpr ArgRule kNoNewCode[] = {{0, kLow32, PR_SET_MDWE}};
constexpr ArgRule kNoNewPrivileges[] = {{0, kLow32, PR_SET_NO_NEW_PRIVS}, {1, kAllBits, 1}};
constexpr ArgRule kOneMoreFilter[] = {{0, kLow32, SECCOMP_SET_MODE_FILTER}, {1, kAllBits, 0}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(wait4), "init: reap; before that, the helper"},
    {SCMP_SYS(pidfd_open), "init"},
    {SCMP_SYS(setns), "the helper: into the pod's user namespace", kUserNamespace},
    {SCMP_SYS(clone), "the helper, which shares our descriptors", kHelper},
    {SCMP_SYS(clone), "process 1 of the pod's PID namespace, as our child", kFirstProcess},
    {SCMP_SYS(close_range), "process 1 of the pod has no descriptor of ours"},
    {SCMP_SYS(prctl), "name", kName},
    {SCMP_SYS(prctl), "become init: what is in the bounding set", kReadBounding},
    {SCMP_SYS(prctl), "become init: nothing in the bounding set", kDropBounding},
    {SCMP_SYS(prctl), "become init: seen by nobody", kNotDumpable},
    {SCMP_SYS(prctl), "become init: no memory that is written and executed", kNoNewCode},
    {SCMP_SYS(prctl), "become init: no_new_privs once more", kNoNewPrivileges},
    {SCMP_SYS(setgroups), "become init: no group", kNoGroups},
    {SCMP_SYS(setresgid), "become init: its gid", kInitsIds},
    {SCMP_SYS(setresuid), "process 1: root of the pod's user namespace; outside, no change", kRoot},
    {SCMP_SYS(setresuid), "become init: its uid, and so no capability", kInitsIds},
    {SCMP_SYS(capget), "become init: whether none is left"},
    {SCMP_SYS(umask), "become init: files are its own"},
    {SCMP_SYS(seccomp), "become init: its filter, on top of this one", kOneMoreFilter},
};

}  // namespace

// Where a pod has a user namespace, its PID namespace must belong to that one, else nobody in the
// pod may mount /proc. So it cannot come with the start of a worker: this kind enters the pod's
// user namespace, in a helper that ends again, and makes it there. It is two processes then, both
// of them init by its table: the pod's process 1, which has ids of the pod and no descriptor, and
// its parent outside, which the broker talks to.
constexpr Profile kUserinitProfile = {
    .kind = Kind::kUserinit,
    .name = "userinit",
    .purpose =
        "start init in a pod's user namespace, and become another init, its parent; with the "
        "parent "
        "ends the pod's",
    .input = "broker: a job with a user namespace and a listening socket; then as init",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 32, .memory_bytes = 16ull << 20, .pids = 8, .wall_seconds = 0},
};
static_assert(EveryRowHasReason(kUserinitProfile));

}  // namespace bulkhead::security
