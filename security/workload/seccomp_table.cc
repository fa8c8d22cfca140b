#include "security/workload/seccomp_table.h"

#include <linux/capability.h>
#include <sched.h>

namespace bulkhead::security {
namespace {

using Name = absl::string_view;

// By hand: one name a line would hide what belongs together.
// clang-format off

// Names of other architectures and of newer kernels are harmless: a runtime skips what it does not know.
constexpr Name kFiles[] = {
    "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range",
    "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
    "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat",
    "fcntl", "fcntl64", "fdatasync", "flock", "fstat", "fstat64", "fstatat64", "fstatfs",
    "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futimesat", "getcwd", "getdents",
    "getdents64", "lchown", "lchown32", "link", "linkat", "_llseek", "lseek", "lstat", "lstat64",
    "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "newfstatat", "open", "openat",
    "openat2", "readahead", "readlink", "readlinkat", "rename", "renameat", "renameat2", "rmdir",
    "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat", "sync",
    "sync_file_range", "sync_file_range2", "arm_sync_file_range", "syncfs", "truncate",
    "truncate64", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64",
    "utimes", "cachestat", "statmount", "listmount",
};
constexpr Name kAttributes[] = {
    "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr", "getxattr", "getxattrat",
    "lgetxattr", "listxattr", "listxattrat", "llistxattr", "lremovexattr", "lsetxattr",
    "removexattr", "removexattrat", "setxattr", "setxattrat", "file_getattr", "file_setattr",
};
constexpr Name kInputOutput[] = {
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "inotify_add_watch",
    "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy",
    "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit", "ioctl",
    "memfd_create", "_newselect", "pipe", "pipe2", "poll", "ppoll", "ppoll_time64", "pread64",
    "preadv", "preadv2", "pselect6", "pselect6_time64", "pwrite64", "pwritev", "pwritev2", "read",
    "readv", "select", "sendfile", "sendfile64", "signalfd", "signalfd4", "splice", "tee",
    "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
    "timerfd_settime64", "vmsplice", "write", "writev",
};
constexpr Name kMemory[] = {
    "brk", "madvise", "map_shadow_stack", "membarrier", "mincore",
    "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal", "msync",
    "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "process_madvise", "process_mrelease", "remap_file_pages", "memfd_secret",
};
constexpr Name kProcesses[] = {
    "alarm", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork",
    "futex", "futex_time64", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
    "get_robust_list", "get_thread_area", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getrlimit", "getrusage", "getsid", "gettid", "ioprio_get", "ioprio_set",
    "kill", "nanosleep", "pause", "pidfd_open", "pidfd_send_signal", "prctl",
    "prlimit64", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
    "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
    "seccomp", "set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority",
    "setrlimit", "setsid", "sigaltstack", "sigprocmask", "sigreturn", "tgkill", "tkill",
    "ugetrlimit", "uretprobe", "vfork", "wait4", "waitid", "waitpid",
};
constexpr Name kLandlock[] = {"landlock_add_rule", "landlock_create_ruleset",
                              "landlock_restrict_self"};
constexpr Name kIdentity[] = {
    "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getresgid", "getresgid32", "getresuid", "getresuid32", "getuid", "getuid32",
    "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups",
    "setgroups32", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
    "setresuid32", "setreuid", "setreuid32", "setuid", "setuid32",
};
constexpr Name kSockets[] = {
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg",
    "sendto", "setsockopt", "shutdown", "socketpair",
};
constexpr Name kTime[] = {
    "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64",
    "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer",
    "gettimeofday", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
    "timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64", "times",
};
constexpr Name kIpc[] = {
    "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
    "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
    "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt",
    "shmget",
};
constexpr Name kSystem[] = {"getcpu", "getrandom", "sysinfo", "uname"};
// Tracing within one's own process tree is safe since Linux 4.8; all supported kernels are newer.
constexpr Name kTracing[] = {"process_vm_readv", "process_vm_writev", "ptrace"};
#if defined(__x86_64__) || defined(__i386__)
constexpr Name kArchitecture[] = {"arch_prctl", "modify_ldt"};
#else
constexpr Name kArchitecture[] = {"arm_fadvise64_64", "breakpoint", "cacheflush", "set_tls"};
#endif

constexpr Name kAdmin[] = {
    "bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick",
    "lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree", "open_tree_attr",
    "perf_event_open", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns",
    "syslog", "umount", "umount2", "unshare",
};
constexpr Name kBoot[] = {"reboot"};
constexpr Name kChroot[] = {"chroot"};
constexpr Name kModule[] = {"delete_module", "finit_module", "init_module"};
constexpr Name kPacct[] = {"acct"};
constexpr Name kPtrace[] = {"kcmp", "pidfd_getfd"};
constexpr Name kRawio[] = {"ioperm", "iopl"};
constexpr Name kSetTime[] = {"clock_settime", "clock_settime64", "settimeofday", "stime"};
constexpr Name kTty[] = {"vhangup"};
constexpr Name kNice[] = {"get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"};
constexpr Name kReadSearch[] = {"open_by_handle_at"};
constexpr Name kKernelLog[] = {"syslog"};
constexpr Name kBpf[] = {"bpf"};
constexpr Name kPerf[] = {"perf_event_open"};

// clang-format on

constexpr AllowedCalls kAllowed[] = {
    {"files and directories", kNoCapability, kFiles},
    {"extended attributes", kNoCapability, kAttributes},
    {"reading, writing, waiting", kNoCapability, kInputOutput},
    {"memory", kNoCapability, kMemory},
    {"processes, threads, signals, scheduling", kNoCapability, kProcesses},
    {"giving up rights", kNoCapability, kLandlock},
    {"ids; the capabilities decide", kNoCapability, kIdentity},
    {"sockets, once made", kNoCapability, kSockets},
    {"clocks and timers; setting asks for a capability", kNoCapability, kTime},
    {"System V and POSIX IPC of the pod's namespace", kNoCapability, kIpc},
    {"facts about the system", kNoCapability, kSystem},
    {"debuggers", kNoCapability, kTracing},
    {"calls of this architecture alone", kNoCapability, kArchitecture},
    {"mounts and namespaces", CAP_SYS_ADMIN, kAdmin},
    {"reboot", CAP_SYS_BOOT, kBoot},
    {"chroot", CAP_SYS_CHROOT, kChroot},
    {"kernel modules", CAP_SYS_MODULE, kModule},
    {"process accounting", CAP_SYS_PACCT, kPacct},
    {"other processes' descriptors", CAP_SYS_PTRACE, kPtrace},
    {"I/O ports", CAP_SYS_RAWIO, kRawio},
    {"setting the clock", CAP_SYS_TIME, kSetTime},
    {"hanging up a terminal", CAP_SYS_TTY_CONFIG, kTty},
    {"placing memory on nodes", CAP_SYS_NICE, kNice},
    {"files by handle", CAP_DAC_READ_SEARCH, kReadSearch},
    {"the kernel's log", CAP_SYSLOG, kKernelLog},
    {"BPF", CAP_BPF, kBpf},
    {"performance counters", CAP_PERFMON, kPerf},
};

constexpr uint64_t kInt = 0xffffffff;
constexpr uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

constexpr AllowedArgument kAllowedArguments[] = {
    // Threads and children, but no namespace.
    {"clone", 0, Compare::kMaskedEqual, kNewNamespaces, 0, CAP_SYS_ADMIN},
    // Families 0 to 45 but 38 (AF_ALG: kernel crypto) and 40 (AF_VSOCK: past every network
    // namespace).
    {"socket", 0, Compare::kMaskedEqual, kInt & ~31ull, 0, kNoCapability},
    {"socket", 0, Compare::kMaskedEqual, kInt & ~3ull, 32, kNoCapability},
    {"socket", 0, Compare::kMaskedEqual, kInt & ~1ull, 36, kNoCapability},
    {"socket", 0, Compare::kMaskedEqual, kInt, 39, kNoCapability},
    {"socket", 0, Compare::kMaskedEqual, kInt, 41, kNoCapability},
    {"socket", 0, Compare::kMaskedEqual, kInt & ~1ull, 42, kNoCapability},
    {"socket", 0, Compare::kMaskedEqual, kInt & ~1ull, 44, kNoCapability},
    // Linux and 32-bit Linux (8), with or without a 2.6 version number (0x20000), and asking which
    // it is.
    {"personality", 0, Compare::kEqual, 0, 0, kNoCapability},
    {"personality", 0, Compare::kEqual, 0, 0x8, kNoCapability},
    {"personality", 0, Compare::kEqual, 0, 0x20000, kNoCapability},
    {"personality", 0, Compare::kEqual, 0, 0x20000 | 0x8, kNoCapability},
    {"personality", 0, Compare::kEqual, 0, 0xffffffff, kNoCapability},
};

}  // namespace

absl::Span<const AllowedCalls> SeccompAllowed() { return kAllowed; }
absl::Span<const AllowedArgument> SeccompAllowedArguments() { return kAllowedArguments; }

}  // namespace bulkhead::security
