#include "security/profiles/syscall_sets.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>

namespace bulkhead::security {
namespace {

constexpr ArgRule kNotExecutable[] = {{2, PROT_EXEC, 0}};
constexpr ArgRule kTerminalProbe[] = {{1, kLow32, TCGETS}};

constexpr Syscall kRuntime[] = {
    {SCMP_SYS(brk), "heap"},
    {SCMP_SYS(mmap), "heap, stacks, files; never executable", kNotExecutable},
    {SCMP_SYS(munmap), "heap"},
    {SCMP_SYS(mremap), "heap: realloc of large blocks"},
    {SCMP_SYS(mprotect), "heap growth, guard pages; never executable", kNotExecutable},
    {SCMP_SYS(madvise), "heap: give memory back"},
    {SCMP_SYS(futex), "mutexes, static initialisation"},
    {SCMP_SYS(getrandom), "hash seeds, ids"},
    {SCMP_SYS(clock_gettime), "time, where the vdso has no clock"},
    {SCMP_SYS(clock_nanosleep), "pauses"},
    {SCMP_SYS(sched_yield), "spin locks"},
    {SCMP_SYS(sched_getaffinity), "number of processors"},
    {SCMP_SYS(sysinfo), "memory size, asked by qsort"},
    {SCMP_SYS(getpid), "own id"},
    {SCMP_SYS(gettid), "own thread, for locks"},
    {SCMP_SYS(geteuid), "own user, asked by libraries"},
    {SCMP_SYS(rt_sigaction), "ignore SIGPIPE, event loop"},
    {SCMP_SYS(rt_sigprocmask), "context switches, thread starts, abort"},
    {SCMP_SYS(rt_sigreturn), "return from a handler"},
    {SCMP_SYS(sigaltstack), "stack of a handler"},
    {SCMP_SYS(restart_syscall), "the kernel's own, after a stop"},
    {SCMP_SYS(write), "log lines"},
    {SCMP_SYS(writev), "last words of abort"},
    {SCMP_SYS(close), "descriptors"},
    {SCMP_SYS(exit), "end of a thread"},
    {SCMP_SYS(exit_group), "end"},
    {SCMP_SYS(clone3), "the C library then takes clone, whose flags a filter can read", {}, ENOSYS},
    {SCMP_SYS(open), "probes of /proc and /sys by libraries", {}, EACCES},
    {SCMP_SYS(openat), "probes of /proc and /sys by libraries", {}, EACCES},
    {SCMP_SYS(access), "probes of configuration by libraries", {}, EACCES},
    {SCMP_SYS(readlink), "probes of /proc/self/exe by libraries", {}, EACCES},
    {SCMP_SYS(ioctl), "whether standard error is a terminal", kTerminalProbe, ENOTTY},
};
static_assert(EveryRowHasReason(kRuntime));

constexpr ArgRule kDuplicate[] = {{1, kLow32, F_DUPFD_CLOEXEC}};
constexpr ArgRule kGetFd[] = {{1, kLow32, F_GETFD}};
constexpr ArgRule kSetFd[] = {{1, kLow32, F_SETFD}};
constexpr ArgRule kGetFlags[] = {{1, kLow32, F_GETFL}};
constexpr ArgRule kSetFlags[] = {{1, kLow32, F_SETFL}};
constexpr ArgRule kGetSeals[] = {{1, kLow32, F_GET_SEALS}};
constexpr ArgRule kAddSeals[] = {{1, kLow32, F_ADD_SEALS}};
constexpr ArgRule kPipeSize[] = {{1, kLow32, F_SETPIPE_SZ}};
constexpr ArgRule kGetPipeSize[] = {{1, kLow32, F_GETPIPE_SZ}};

constexpr Syscall kSocket[] = {
    {SCMP_SYS(recvmsg), "frames with descriptors"},
    {SCMP_SYS(sendmsg), "frames with descriptors"},
    {SCMP_SYS(read), "sockets, pipes"},
    {SCMP_SYS(poll), "wait for a descriptor"},
    {SCMP_SYS(ppoll), "wait for a descriptor, on other processors"},
    {SCMP_SYS(shutdown), "half-close"},
    {SCMP_SYS(fstat), "what kind of descriptor came"},
    {SCMP_SYS(newfstatat), "fstat of the C library; by path the root is empty"},
    {SCMP_SYS(fcntl), "duplicate", kDuplicate},
    {SCMP_SYS(fcntl), "close-on-exec", kGetFd},
    {SCMP_SYS(fcntl), "close-on-exec", kSetFd},
    {SCMP_SYS(fcntl), "how a descriptor that came is open", kGetFlags},
    {SCMP_SYS(fcntl), "non-blocking", kSetFlags},
    {SCMP_SYS(fcntl), "whether a memfd that came is sealed", kGetSeals},
    {SCMP_SYS(fcntl), "seal a memfd", kAddSeals},
    {SCMP_SYS(fcntl), "larger pipes", kPipeSize},
    {SCMP_SYS(fcntl), "larger pipes", kGetPipeSize},
};
static_assert(EveryRowHasReason(kSocket));

constexpr Syscall kFile[] = {
    {SCMP_SYS(read), "contents"},
    {SCMP_SYS(readv), "contents"},
    {SCMP_SYS(pread64), "contents at an offset"},
    {SCMP_SYS(write), "contents"},
    {SCMP_SYS(writev), "contents"},
    {SCMP_SYS(pwrite64), "contents at an offset"},
    {SCMP_SYS(lseek), "position, holes"},
    {SCMP_SYS(fstat), "size"},
    {SCMP_SYS(newfstatat), "size"},
    {SCMP_SYS(statx), "size"},
    {SCMP_SYS(ftruncate), "length"},
    {SCMP_SYS(fallocate), "reserve space"},
    {SCMP_SYS(fadvise64), "read ahead"},
    {SCMP_SYS(splice), "file to pipe and back without a copy"},
    {SCMP_SYS(sendfile), "file to pipe without a copy"},
    {SCMP_SYS(copy_file_range), "file to file without a copy"},
    {SCMP_SYS(fsync), "durability"},
    {SCMP_SYS(fdatasync), "durability"},
};
static_assert(EveryRowHasReason(kFile));

constexpr Syscall kTree[] = {
    {SCMP_SYS(openat), "files of the visible tree"},
    {SCMP_SYS(openat2), "files below a directory descriptor"},
    {SCMP_SYS(newfstatat), "look at an entry"},
    {SCMP_SYS(statx), "look at an entry"},
    {SCMP_SYS(fstat), "look at an open file"},
    {SCMP_SYS(readlinkat), "read a link"},
    {SCMP_SYS(getdents64), "list a directory"},
    {SCMP_SYS(lseek), "rewind a directory"},
};
static_assert(EveryRowHasReason(kTree));

constexpr Syscall kConfine[] = {
    {SCMP_SYS(landlock_create_ruleset), "narrow to the job's directories"},
    {SCMP_SYS(landlock_add_rule), "narrow to the job's directories"},
    {SCMP_SYS(landlock_restrict_self), "narrow to the job's directories"},
};
static_assert(EveryRowHasReason(kConfine));

constexpr ArgRule kUnixPair[] = {{0, kLow32, AF_UNIX}};

constexpr Syscall kEventLoop[] = {
    {SCMP_SYS(epoll_create1), "event loop"},
    {SCMP_SYS(epoll_ctl), "event loop"},
    {SCMP_SYS(epoll_wait), "event loop"},
    {SCMP_SYS(epoll_pwait), "event loop"},
    {SCMP_SYS(epoll_pwait2), "event loop"},
    {SCMP_SYS(eventfd2), "wake the loop"},
    {SCMP_SYS(pipe2), "wake the loop; streams between workers"},
    {SCMP_SYS(signalfd4), "signals as events"},
    {SCMP_SYS(timerfd_create), "timers as events"},
    {SCMP_SYS(timerfd_settime), "timers as events"},
    {SCMP_SYS(accept4), "connections on a socket handed in"},
    {SCMP_SYS(socketpair), "channels to workers, wake-ups", kUnixPair},
    {SCMP_SYS(getsockopt), "the peer's credentials, errors"},
    {SCMP_SYS(setsockopt), "buffers"},
    {SCMP_SYS(getsockname), "what kind of socket"},
    {SCMP_SYS(getpeername), "what kind of socket"},
    {SCMP_SYS(recvfrom), "stream bytes"},
    {SCMP_SYS(sendto), "stream bytes"},
    {SCMP_SYS(readv), "stream bytes"},
    {SCMP_SYS(writev), "stream bytes"},
};
static_assert(EveryRowHasReason(kEventLoop));

constexpr ArgRule kThreadFlags[] = {{0, kAllBits,
                                     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM |
                                         CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |
                                         CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID}};
constexpr ArgRule kThreadName[] = {{0, kLow32, PR_SET_NAME}};

constexpr Syscall kThread[] = {
    {SCMP_SYS(clone), "a thread with exactly the flags of pthread_create", kThreadFlags},
    {SCMP_SYS(set_robust_list), "start of a thread"},
    {SCMP_SYS(rseq), "start of a thread"},
    {SCMP_SYS(prctl), "name of a thread", kThreadName},
    {SCMP_SYS(sched_getscheduler), "pthread_create: a new thread inherits it"},
    {SCMP_SYS(sched_getparam), "pthread_create: a new thread inherits it"},
};
static_assert(EveryRowHasReason(kThread));

}  // namespace

constexpr SyscallSet kRuntimeSet = {"runtime", kRuntime};
constexpr SyscallSet kSocketSet = {"socket", kSocket};
constexpr SyscallSet kFileSet = {"file", kFile};
constexpr SyscallSet kTreeSet = {"tree", kTree};
constexpr SyscallSet kConfineSet = {"confine", kConfine};
constexpr SyscallSet kEventLoopSet = {"event loop", kEventLoop};
constexpr SyscallSet kThreadSet = {"thread", kThread};

}  // namespace bulkhead::security
