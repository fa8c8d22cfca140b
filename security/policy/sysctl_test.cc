#include "security/policy/sysctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::security {
namespace {

using testing::HasSubstr;

absl::Status Check(absl::string_view name, absl::string_view value = "1") {
  return CheckSysctl(name, value, true, true);
}

TEST(Sysctl, AllowsWhatAPodOwns) {
  for (const char* name :
       {"net.ipv4.ip_unprivileged_port_start", "net.core.somaxconn", "net/ipv4/ping_group_range",
        "net.ipv4.conf.eth0/1.rp_filter", "net.ipv6.conf.all.disable_ipv6", "kernel.shmmax",
        "kernel.shm_rmid_forced", "kernel.msgmnb", "kernel.sem", "fs.mqueue.msg_max"}) {
    EXPECT_TRUE(Check(name).ok()) << name;
  }
  EXPECT_TRUE(Check("net.ipv4.ip_local_port_range", "1024\t65000").ok());
  EXPECT_TRUE(Check("net.ipv4.ip_local_reserved_ports", "").ok());
}

TEST(Sysctl, V23RefusesTheNodesOwn) {
  for (const char* name : {"kernel.core_pattern", "kernel.shm/../core_pattern", "vm.swappiness",
                           "fs.file-max", "kernel.hostname", "fs.mqueue", "net", "net.ipv4",
                           "kernel", "kernel.shm.x", "fs.mqueue.a.b", "user.max_user_namespaces",
                           "kernel/core_pattern", "kernel.yama.ptrace_scope"}) {
    const absl::Status status = Check(name);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("linux.sysctls["));
  }
}

TEST(Sysctl, V23RefusesWhatIsNoName) {
  for (const char* name :
       {"", ".", "/", "net..x", "net.ipv4.", ".net.x", "/net/ipv4/x", "net/../kernel/core_pattern",
        "net/./ipv4/x", "net.ipv4.//.x", "net/ipv4/../../kernel/core_pattern", "net.ipv4.a b",
        "net.ipv4.a\n", "net.ipv4.a=1+kernel.core_pattern", "net.ipv4.a+b", "net.ipv4.\xc3\xa4"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Check(name))) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(Check("net.ipv4." + std::string(300, 'x'))));
  EXPECT_TRUE(absl::IsInvalidArgument(Check(absl::string_view("net.a.b\0c", 9))));
}

TEST(Sysctl, V23RefusesValuesThatAreNoLine) {
  EXPECT_TRUE(absl::IsInvalidArgument(Check("kernel.shm_rmid_forced", "1\nx")));
  EXPECT_TRUE(absl::IsInvalidArgument(Check("kernel.sem", absl::string_view("1\0", 2))));
  EXPECT_TRUE(absl::IsInvalidArgument(Check("kernel.sem", "\x7f")));
  EXPECT_TRUE(absl::IsInvalidArgument(Check("kernel.sem", std::string(4097, '1'))));
  EXPECT_TRUE(Check("kernel.sem", std::string(4096, '1')).ok());
  // One setting, whose value the kernel refuses; never two.
  EXPECT_TRUE(Check("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x").ok());
}

TEST(Sysctl, V23NeedsTheNamespace) {
  EXPECT_TRUE(absl::IsInvalidArgument(CheckSysctl("net.ipv4.ip_forward", "1", false, true)));
  EXPECT_TRUE(CheckSysctl("net.ipv4.ip_forward", "1", true, false).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(CheckSysctl("kernel.sem", "1", true, false)));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckSysctl("fs.mqueue.msg_max", "1", true, false)));
  EXPECT_TRUE(CheckSysctl("fs.mqueue.msg_max", "1", false, true).ok());
}

TEST(Sysctl, HasOnePathForBothSpellings) {
  EXPECT_EQ(SysctlPath("net.ipv4.conf.eth0/1.mtu").value_or(""), "net/ipv4/conf/eth0.1/mtu");
  EXPECT_EQ(SysctlPath("net/ipv4/conf/eth0.1/mtu").value_or(""), "net/ipv4/conf/eth0.1/mtu");
  EXPECT_EQ(SysctlPath("kernel.sem").value_or(""), "kernel/sem");
  EXPECT_FALSE(SysctlPath("net/../x").ok());
  EXPECT_FALSE(SysctlPath("net./.././x").ok());
}

}  // namespace
}  // namespace bulkhead::security
