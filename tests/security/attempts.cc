#include "tests/security/attempts.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bulkhead::security {
namespace {

using Needs = Attempt::Needs;

template <typename... Args>
int Try(long number, Args... args) {
  return syscall(number, args...) >= 0 ? 0 : errno;
}

int Open(const char* path, int flags) { return Try(SYS_openat, AT_FDCWD, path, flags, 0600); }

int Socket(int family, int type, int protocol) { return Try(SYS_socket, family, type, protocol); }

int ClimbOutOfDirectory() {
  // Descriptor 4 is a directory of the table where there is one; where there is none, nobody can
  // climb.
  const int error = Try(SYS_openat, 4, "../..", O_RDONLY | O_DIRECTORY);
  return error == EBADF || error == ENOTDIR ? EACCES : error;
}

// Who has /proc there must not read what lies in it.
int ReadOfProcess1(const char* name) {
  const int error = Try(SYS_openat, 4, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  return error == EBADF || error == ENOTDIR ? EACCES : error;
}

int RaiseLimit() {
  rlimit limit = {1 << 20, 1 << 20};
  return Try(SYS_setrlimit, RLIMIT_NOFILE, &limit);
}

int BecomeTraced() { return Try(SYS_ptrace, PTRACE_TRACEME, 0, nullptr, nullptr); }

int Execute() {
  char* const none[] = {nullptr};
  return Try(SYS_execve, "/bin/true", none, none);
}

int AbstractConnect() {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path + 1, kAbstractName);  // where the test listens
  return Try(SYS_connect, fd, &address, sizeof(sa_family_t) + 1 + strlen(kAbstractName));
}

int ReadOldUmountedRoot() { return Try(SYS_openat, AT_FDCWD, "/../../../etc/passwd", O_RDONLY); }

int SignalPid1() {
  const long fd = syscall(SYS_pidfd_open, 1, 0);
  if (fd < 0) return errno;
  return Try(SYS_pidfd_send_signal, fd, 0, nullptr, 0);
}

}  // namespace

bool IsRefusal(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == ENOENT ||
         error == EAFNOSUPPORT || error == EROFS || error == ESRCH || error == ECONNREFUSED;
}

const std::vector<Attempt>& Attempts() {
  static const std::vector<Attempt> attempts = {
      // Shows that the probe can tell success.
      {"get the own pid", [] { return Try(SYS_getpid); }, SYS_getpid, {}, Needs::kNothing},
      {"heap", [] { return Try(SYS_brk, 0); }, SYS_brk, {}, Needs::kNothing},

      {"read /etc/shadow",
       [] { return Open("/etc/shadow", O_RDONLY); },
       SYS_openat,
       {},
       Needs::kHostView},
      {"read /etc/hosts",
       [] { return Open("/etc/hosts", O_RDONLY); },
       SYS_openat,
       {},
       Needs::kHostOrListed},
      {"write /etc/hosts",
       [] { return Open("/etc/hosts", O_WRONLY); },
       SYS_openat,
       {},
       Needs::kHostView},
      {"make a file in /",
       [] { return Open("/", O_RDWR | O_TMPFILE); },
       SYS_openat,
       {},
       Needs::kHostView},
      {"open /dev/mem", [] { return Open("/dev/mem", O_RDWR); }, SYS_openat, {}, Needs::kNever},
      {"open the root of process 1",
       [] { return Open("/proc/1/root/etc/shadow", O_RDONLY); },
       SYS_openat,
       {},
       Needs::kNever},
      {"climb out of the root", ReadOldUmountedRoot, SYS_openat, {}, Needs::kHostView},
      {"climb out of a directory descriptor",
       ClimbOutOfDirectory,
       SYS_openat,
       {},
       Needs::kHostDirectory},
      {"read process 1's memory by a directory descriptor",
       [] { return ReadOfProcess1("1/mem"); },
       SYS_openat,
       {},
       Needs::kNever},
      {"read process 1's files by a directory descriptor",
       [] { return ReadOfProcess1("1/root/etc/passwd"); },
       SYS_openat,
       {},
       Needs::kNever},
      {"open by file handle",
       [] { return Try(SYS_open_by_handle_at, 4, nullptr, 0); },
       SYS_open_by_handle_at,
       {},
       Needs::kNothing},

      {"tcp socket",
       [] { return Socket(AF_INET, SOCK_STREAM, IPPROTO_TCP); },
       SYS_socket,
       {AF_INET, SOCK_STREAM, IPPROTO_TCP},
       Needs::kNothing},
      {"tcp over ip version 6",
       [] { return Socket(AF_INET6, SOCK_STREAM, 0); },
       SYS_socket,
       {AF_INET6, SOCK_STREAM, 0},
       Needs::kNothing},
      {"udp socket",
       [] { return Socket(AF_INET, SOCK_DGRAM, 0); },
       SYS_socket,
       {AF_INET, SOCK_DGRAM, 0},
       Needs::kNothing},
      {"unix socket",
       [] { return Socket(AF_UNIX, SOCK_STREAM, 0); },
       SYS_socket,
       {AF_UNIX, SOCK_STREAM, 0},
       Needs::kNothing},
      {"netlink socket",
       [] { return Socket(AF_NETLINK, SOCK_RAW, 0); },
       SYS_socket,
       {AF_NETLINK, SOCK_RAW, 0},
       Needs::kNothing},
      {"packet socket",
       [] { return Socket(AF_PACKET, SOCK_RAW, 0); },
       SYS_socket,
       {AF_PACKET, SOCK_RAW, 0},
       Needs::kNothing},
      {"raw socket",
       [] { return Socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); },
       SYS_socket,
       {AF_INET, SOCK_RAW, IPPROTO_ICMP},
       Needs::kNothing},
      {"crypto socket",
       [] { return Socket(AF_ALG, SOCK_SEQPACKET, 0); },
       SYS_socket,
       {AF_ALG, SOCK_SEQPACKET, 0},
       Needs::kNothing},
      {"sctp-like socket",
       [] { return Socket(AF_INET, SOCK_SEQPACKET, 132); },
       SYS_socket,
       {AF_INET, SOCK_SEQPACKET, 132},
       Needs::kNothing},
      {"connect to an abstract socket",
       AbstractConnect,
       SYS_socket,
       {AF_UNIX, SOCK_STREAM},
       Needs::kNever},

      {"be traced", BecomeTraced, SYS_ptrace, {}, Needs::kNothing},
      {"read another's memory",
       [] { return Try(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0); },
       SYS_process_vm_readv,
       {},
       Needs::kNothing},
      {"signal the parent",
       [] { return Try(SYS_kill, getppid(), 0); },
       SYS_kill,
       {},
       Needs::kNothing},
      {"signal process 1 by pidfd", SignalPid1, SYS_pidfd_send_signal, {}, Needs::kNothing},
      {"execute a program", Execute, SYS_execve, {}, Needs::kNothing},
      {"execute from a descriptor",
       [] { return Try(SYS_execveat, 3, "", nullptr, nullptr, AT_EMPTY_PATH); },
       SYS_execveat,
       {},
       Needs::kNothing},
      {"fork", [] { return Try(SYS_fork); }, SYS_fork, {}, Needs::kNothing},
      {"clone a process",
       [] { return Try(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0); },
       SYS_clone,
       {SIGCHLD | CLONE_NEWUSER},
       Needs::kNothing},
      {"clone3", [] { return Try(SYS_clone3, nullptr, 0); }, SYS_clone3, {}, Needs::kNothing},
      {"executable memory",
       [] {
         return Try(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       },
       SYS_mmap,
       {0, 4096, PROT_READ | PROT_EXEC},
       Needs::kNothing},

      {"new user namespace",
       [] { return Try(SYS_unshare, CLONE_NEWUSER); },
       SYS_unshare,
       {CLONE_NEWUSER},
       Needs::kNothing},
      {"new mount namespace",
       [] { return Try(SYS_unshare, CLONE_NEWNS); },
       SYS_unshare,
       {CLONE_NEWNS},
       Needs::kSysAdmin},
      {"new network namespace",
       [] { return Try(SYS_unshare, CLONE_NEWNET); },
       SYS_unshare,
       {CLONE_NEWNET},
       Needs::kSysAdmin},
      {"enter a namespace", [] { return Try(SYS_setns, 3, 0); }, SYS_setns, {}, Needs::kNothing},
      {"make a file system",
       [] { return Try(SYS_fsopen, "tmpfs", 0); },
       SYS_fsopen,
       {},
       Needs::kSysAdmin},
      {"unmount /",
       [] { return Try(SYS_umount2, "/nowhere", UMOUNT_NOFOLLOW | 0x40000000); },
       SYS_umount2,
       {},
       Needs::kSysAdmin},
      {"change root", [] { return Try(SYS_chroot, "/"); }, SYS_chroot, {}, Needs::kNothing},
      {"pivot root",
       [] { return Try(SYS_pivot_root, ".", "."); },
       SYS_pivot_root,
       {},
       Needs::kNothing},

      {"be root", [] { return Try(SYS_setresuid, 0, 0, 0); }, SYS_setresuid, {}, Needs::kNothing},
      {"take groups",
       [] { return Try(SYS_setgroups, 0, nullptr); },
       SYS_setgroups,
       {},
       Needs::kNothing},
      {"set capabilities",
       [] { return Try(SYS_capset, nullptr, nullptr); },
       SYS_capset,
       {},
       Needs::kNothing},
      {"be dumpable",
       [] { return Try(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); },
       SYS_prctl,
       {PR_SET_DUMPABLE, 1},
       Needs::kNothing},
      {"raise a limit", RaiseLimit, SYS_setrlimit, {}, Needs::kNothing},
      {"another personality",
       [] { return Try(SYS_personality, 0xffffffff); },
       SYS_personality,
       {},
       Needs::kNothing},

      {"bpf", [] { return Try(SYS_bpf, BPF_PROG_LOAD, nullptr, 0); }, SYS_bpf, {}, Needs::kNothing},
      {"io_uring",
       [] { return Try(SYS_io_uring_setup, 1, nullptr); },
       SYS_io_uring_setup,
       {},
       Needs::kNothing},
      {"keyring",
       [] { return Try(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0); },
       SYS_keyctl,
       {},
       Needs::kNothing},
      {"user fault descriptor",
       [] { return Try(SYS_userfaultfd, 0); },
       SYS_userfaultfd,
       {},
       Needs::kNothing},
      {"performance events",
       [] { return Try(SYS_perf_event_open, nullptr, 0, -1, -1, 0); },
       SYS_perf_event_open,
       {},
       Needs::kNothing},
      {"kernel module",
       [] { return Try(SYS_finit_module, -1, "", 0); },
       SYS_finit_module,
       {},
       Needs::kNothing},
      {"kernel log",
       [] { return Try(SYS_syslog, 10, nullptr, 0); },
       SYS_syslog,
       {},
       Needs::kNothing},
      {"wall clock",
       [] { return Try(SYS_settimeofday, nullptr, nullptr); },
       SYS_settimeofday,
       {},
       Needs::kNothing},
      {"shared memory of system V",
       [] { return Try(SYS_shmget, 0, 4096, 0600); },
       SYS_shmget,
       {},
       Needs::kNothing},
      {"push terminal input",
       [] { return Try(SYS_ioctl, 0, 0x5412, "x"); },
       SYS_ioctl,
       {0, 0x5412},
       Needs::kNothing},
  };
  return attempts;
}

}  // namespace bulkhead::security
