#include "security/workload/seccomp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "security/workload/defaults.h"

namespace bulkhead::security {
namespace {

using nlohmann::json;

constexpr uint64_t kAdminToo = uint64_t{1} << CAP_SYS_ADMIN;

scmp_arg_cmp Comparison(const json& arg) {
  const unsigned index = arg["index"];
  const uint64_t value = arg["value"];
  if (arg["op"] == "SCMP_CMP_EQ") return SCMP_CMP(index, SCMP_CMP_EQ, value);
  return SCMP_CMP(index, SCMP_CMP_MASKED_EQ, value, uint64_t{arg["valueTwo"]});
}

// Does what an OCI runtime does with the profile. False where libseccomp refuses it.
bool Load(const json& profile) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(uint32_t{profile["defaultErrnoRet"]}));
  if (seccomp_arch_add(filter, SCMP_ARCH_X86) != 0) return false;
  if (seccomp_arch_add(filter, SCMP_ARCH_X32) != 0) return false;
  for (const json& rule : profile["syscalls"]) {
    const uint32_t action = rule["action"] == "SCMP_ACT_ALLOW"
                                ? SCMP_ACT_ALLOW
                                : SCMP_ACT_ERRNO(uint32_t{rule["errnoRet"]});
    for (const std::string name : rule["names"]) {
      const int number = seccomp_syscall_resolve_name(name.c_str());
      if (number == __NR_SCMP_ERROR) continue;
      std::vector<scmp_arg_cmp> args;
      if (rule.contains("args")) args.push_back(Comparison(rule["args"][0]));
      if (seccomp_rule_add_array(filter, action, number, args.size(), args.data()) != 0) {
        return false;
      }
    }
  }
  return seccomp_load(filter) == 0;
}

// errno of call (0: success) in a child confined by the profile; -1: the profile did not load.
int ErrnoUnder(uint64_t capabilities, const std::function<long()>& call) {
  const json profile = DefaultSeccomp(capabilities);
  for (const json& rule : profile["syscalls"]) EXPECT_TRUE(rule["names"].is_array());
  const pid_t child = fork();
  if (child == 0) {
    if (!Load(profile)) _exit(255);
    errno = 0;
    _exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 255) return -1;
  return WEXITSTATUS(status);
}

std::function<long()> Socket(uint64_t family) {
  return [family] { return syscall(SYS_socket, family, SOCK_DGRAM, 0); };
}

TEST(DefaultSeccomp, AllowsOrdinarySockets) {
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(AF_UNIX)), 0);
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(AF_INET6)), 0);
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(AF_NETLINK)), 0);
}

TEST(DefaultSeccomp, V25DeniesKernelCryptoAndVsock) {
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(AF_ALG)), EPERM);
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(AF_VSOCK)), EPERM);
  EXPECT_EQ(ErrnoUnder(~uint64_t{0}, Socket(AF_ALG)), EPERM);
}

// The kernel looks at the low half of the register only, so the filter must too.
TEST(DefaultSeccomp, V25HighBitsDoNotHideAFamily) {
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(uint64_t{1} << 32 | AF_ALG)), EPERM);
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(uint64_t{1} << 32 | AF_VSOCK)), EPERM);
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), Socket(uint64_t{1} << 32 | AF_UNIX)), 0);
}

TEST(DefaultSeccomp, NamespacesNeedSysAdmin) {
  const auto unshare_uts = [] { return syscall(SYS_unshare, CLONE_NEWUTS); };
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), unshare_uts), EPERM);
  const auto clone_user = [] {
    const long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child;
  };
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), clone_user), EPERM);
  EXPECT_NE(ErrnoUnder(DefaultCapabilities() | kAdminToo, clone_user), EPERM);
}

TEST(DefaultSeccomp, PlainForkWorks) {
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(),
                       [] {
                         const pid_t child = fork();
                         if (child == 0) _exit(0);
                         return static_cast<long>(child);
                       }),
            0);
}

TEST(DefaultSeccomp, Clone3IsUnknownWithoutSysAdmin) {
  const auto clone3 = [] { return syscall(SYS_clone3, nullptr, 0); };
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities(), clone3), ENOSYS);
  EXPECT_EQ(ErrnoUnder(DefaultCapabilities() | kAdminToo, clone3), EINVAL);
}

TEST(DefaultSeccomp, V25DeniesWhatReachesTheKernel) {
  for (int number : {SYS_kexec_load, SYS_keyctl, SYS_add_key, SYS_io_uring_setup, SYS_userfaultfd,
                     SYS_init_module, SYS_bpf, SYS_perf_event_open, SYS_mount, SYS_swapon,
                     SYS_reboot, SYS_open_by_handle_at, SYS_pivot_root}) {
    EXPECT_EQ(
        ErrnoUnder(DefaultCapabilities(), [number] { return syscall(number, 0, 0, 0, 0, 0); }),
        EPERM)
        << number;
  }
}

TEST(DefaultSeccomp, V25SocketcallIsUnknown) {
  bool seen = false;
  const json profile = DefaultSeccomp(0);
  for (const json& rule : profile["syscalls"]) {
    if (rule["names"] != json::array({"socketcall"})) continue;
    seen = true;
    EXPECT_EQ(rule["action"], "SCMP_ACT_ERRNO");
    EXPECT_EQ(rule["errnoRet"], ENOSYS);
  }
  EXPECT_TRUE(seen);
}

TEST(WorkloadDefaults, FourteenCapabilitiesAndNoAdministrator) {
  EXPECT_EQ(__builtin_popcountll(DefaultCapabilities()), 14);
  EXPECT_EQ(DefaultCapabilities() & kAdminToo, 0u);
  EXPECT_THAT(DefaultMaskedPaths(), testing::Contains("/proc/kcore"));
  EXPECT_THAT(DefaultMaskedPaths(), testing::Contains("/sys/devices/virtual/powercap"));
  EXPECT_THAT(DefaultReadonlyPaths(), testing::Contains("/proc/sys"));
}

}  // namespace
}  // namespace bulkhead::security
