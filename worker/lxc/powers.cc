#include "worker/lxc/powers.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "security/profile.h"

namespace bulkhead::lxc {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(2);
constexpr size_t kMaxStatusBytes = 64 << 10;
constexpr size_t kMaxFilter = 4096;  // instructions

// All else fails with EPERM: at its end the library tries to tidy up what is others' to tidy up.
struct Allowed {
  int number;
  const char* reason;
};
constexpr Allowed kAllowed[] = {
    {SCMP_SYS(read), "signals, by a descriptor"},
    {SCMP_SYS(write), "the library's log"},
    {SCMP_SYS(writev), "the library's log"},
    {SCMP_SYS(close), "who was answered"},
    {SCMP_SYS(epoll_create1), "the library's loop, which begins about now"},
    {SCMP_SYS(epoll_wait), "the library's loop"},
    {SCMP_SYS(epoll_pwait), "the library's loop"},
    {SCMP_SYS(epoll_ctl), "who wants to join the container"},
    {SCMP_SYS(poll), "the library's loop"},
    {SCMP_SYS(accept), "who wants to join the container"},
    {SCMP_SYS(accept4), "who wants to join the container"},
    {SCMP_SYS(recvmsg), "what they ask"},
    {SCMP_SYS(recvfrom), "what they ask"},
    {SCMP_SYS(sendmsg), "descriptors of the container for them"},
    {SCMP_SYS(sendto), "answers for them"},
    {SCMP_SYS(getsockopt), "who they are"},
    {SCMP_SYS(setsockopt), "to be told who they are"},
    {SCMP_SYS(shutdown), "who was answered"},
    {SCMP_SYS(fcntl), "descriptors for them"},
    {SCMP_SYS(dup), "descriptors for them"},
    {SCMP_SYS(fstat), "the library's files"},
    {SCMP_SYS(newfstatat), "the library's files"},
    {SCMP_SYS(lseek), "the library's files"},
    {SCMP_SYS(waitid), "the container's end"},
    {SCMP_SYS(wait4), "the container's end"},
    {SCMP_SYS(pidfd_send_signal), "to the container, whose descriptor it has"},
    {SCMP_SYS(mmap), "memory"},
    {SCMP_SYS(munmap), "memory"},
    {SCMP_SYS(mremap), "memory"},
    {SCMP_SYS(mprotect), "memory"},
    {SCMP_SYS(madvise), "memory"},
    {SCMP_SYS(brk), "memory"},
    {SCMP_SYS(futex), "locks"},
    {SCMP_SYS(rt_sigprocmask), "signals"},
    {SCMP_SYS(rt_sigaction), "signals"},
    {SCMP_SYS(rt_sigreturn), "signals"},
    {SCMP_SYS(getpid), "the library's log"},
    {SCMP_SYS(gettid), "the library's log"},
    {SCMP_SYS(clock_gettime), "the library's log"},
    {SCMP_SYS(restart_syscall), "after a stop"},
    {SCMP_SYS(exit), "its end"},
    {SCMP_SYS(exit_group), "its end"},
};

sock_filter filter[kMaxFilter];
unsigned short filter_size = 0;

// In a signal handler: system calls alone. One that fails shows in what DropPowersOf looks at.
void DropPowers(int) {
  for (int cap = 0; cap <= CAP_LAST_CAP; ++cap) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  constexpr uid_t kId = security::kMonitorUid;
  syscall(SYS_setgroups, 0, nullptr);
  syscall(SYS_setresgid, kId, kId, kId);
  syscall(SYS_setresuid, kId, kId, kId);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  data[0].permitted = data[0].effective = 1u << CAP_KILL;
  syscall(SYS_capset, &header, data);
  // A change of the uid has cleared it.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const sock_fprog program = {filter_size, filter};
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

absl::Status CompileFilter() {
  const scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (context == nullptr) return absl::InternalError("seccomp_init");
  absl::Cleanup release = [context] { seccomp_release(context); };
  for (const Allowed& row : kAllowed) {
    if (seccomp_rule_add(context, SCMP_ACT_ALLOW, row.number, 0) != 0) {
      return absl::InternalError(absl::StrCat("filter: ", row.reason));
    }
  }
  const base::UniqueFd file(memfd_create("filter", MFD_CLOEXEC));
  if (!file || seccomp_export_bpf(context, file.get()) != 0) {
    return absl::InternalError("filter: export");
  }
  lseek(file.get(), 0, SEEK_SET);
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes, base::ReadAll(file.get(), sizeof(filter)));
  memcpy(filter, bytes.data(), bytes.size());
  filter_size = static_cast<unsigned short>(bytes.size() / sizeof(sock_filter));
  return absl::OkStatus();
}

bool HasDropped(absl::string_view status) {
  return absl::StrContains(status, "\nSeccomp:\t2\n") &&
         absl::StrContains(status, "\nNoNewPrivs:\t1\n") &&
         absl::StrContains(status, "\nCapPrm:\t0000000000000020\n") &&
         absl::StrContains(status, "\nCapEff:\t0000000000000020\n") &&
         absl::StrContains(status, "\nCapBnd:\t0000000000000000\n") &&
         absl::StrContains(status, absl::StrCat("\nUid:\t", security::kMonitorUid, "\t",
                                                security::kMonitorUid, "\t"));
}

}  // namespace

absl::Status PreparePowers() {
  BULKHEAD_RETURN_IF_ERROR(CompileFilter());
  struct sigaction action = {};
  action.sa_handler = DropPowers;
  sigfillset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  if (sigaction(SIGWINCH, &action, nullptr) != 0) return base::ErrnoStatus("handle a signal");
  return absl::OkStatus();
}

absl::Status DropPowersOf(int pid) {
  if (kill(pid, SIGWINCH) != 0) return absl::NotFoundError("liblxc's process has ended");
  const base::Deadline deadline = base::Deadline::After(kPatience);
  for (;;) {
    const absl::StatusOr<std::string> status =
        base::ReadFile(absl::StrCat("/proc/", pid, "/status"), kMaxStatusBytes);
    if (!status.ok() || absl::StrContains(*status, "\nState:\tZ")) {
      return absl::NotFoundError("liblxc's process has ended");
    }
    if (HasDropped(*status)) return absl::OkStatus();
    if (deadline.Passed()) {
      return absl::FailedPreconditionError("liblxc's process did not give up its powers");
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
}

}  // namespace bulkhead::lxc
