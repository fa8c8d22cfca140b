// The launch worker refuses by itself what root's policy does not grant: the test gives it jobs as
// a broker that somebody has taken over could.
#include <linux/capability.h>

#include "security/policy/pod_policy.h"
#include "worker/launch/launch_fixture_test.h"

namespace bulkhead::launch {
namespace {

using security::PodProfile;

class LaunchPolicy : public LaunchFixture {
 protected:
  void SetUp() override {
    LaunchFixture::SetUp();
    if (IsSkipped()) return;
    policies_.node = *PodProfile("restricted");
    policies_.node.log_dirs = {(dir_ / "log").string()};
    policies_.node.host_network = true;  // the fixture's pod
    Publish(policies_);
  }
  // What a modest container asks for.
  static void Modest(schema::ContainerSpec::Builder spec) {
    auto process = spec.getProcess();
    process.setCapabilities(0);
    process.setNoNewPrivileges(true);
    process.getUser().setUid(1000);
    Fill(spec.initMaskedPaths(8),
         {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/sched_debug", "/proc/scsi", "/sys/firmware"});
    Fill(spec.initReadonlyPaths(5),
         {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"});
  }
  static void Fill(capnp::List<capnp::Text>::Builder list, std::vector<const char*> texts) {
    for (unsigned i = 0; i < texts.size(); ++i) list.set(i, texts[i]);
  }
  void ExpectRefused(const std::string& key, const SpecChange& change) {
    const absl::Status status = Create({"true"}, [&](schema::ContainerSpec::Builder spec) {
      Modest(spec);
      change(spec);
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << key << " " << status;
    EXPECT_EQ(security::RuleOf(status), absl::StrCat("pods.", key)) << status;
    EXPECT_TRUE(NothingIsLeft()) << key;
  }
  security::PodPolicies policies_;
};

TEST_F(LaunchPolicy, WhatIsGrantedRuns) {
  Run({"sh", "-c", "exec sleep 1000"}, Modest);
  ExecResult result = Exec({"id", "-u"}, 20000, 1024, [](schema::Process::Builder process) {
    process.setCapabilities(0);
    process.setNoNewPrivileges(true);
    process.getUser().setUid(1000);
  });
  EXPECT_EQ(result.out, "1000\n") << result.status << result.err;
  result = Exec({"id", "-u"});
  EXPECT_EQ(security::RuleOf(result.status), "pods.capabilities") << "an exec that wants more";
  policies_.node.exec = false;
  Publish(policies_);
  result = Exec({"id", "-u"}, 20000, 1024, [](schema::Process::Builder process) {
    process.setCapabilities(0);
    process.setNoNewPrivileges(true);
    process.getUser().setUid(1000);
  });
  EXPECT_EQ(security::RuleOf(result.status), "pods.exec");
}

TEST_F(LaunchPolicy, EachPowerIsRefusedByItself) {
  using Spec = schema::ContainerSpec::Builder;
  ExpectRefused("privileged", [](Spec spec) { spec.setAllDevices(true); });
  ExpectRefused("privileged", [](Spec spec) { spec.setCgroupWritable(true); });
  ExpectRefused("capabilities",
                [](Spec spec) { spec.getProcess().setCapabilities(uint64_t{1} << CAP_SYS_ADMIN); });
  ExpectRefused("capabilities",
                [](Spec spec) { spec.getProcess().setAmbient(uint64_t{1} << CAP_BPF); });
  ExpectRefused("privilege_escalation",
                [](Spec spec) { spec.getProcess().setNoNewPrivileges(false); });
  ExpectRefused("run_as_root", [](Spec spec) { spec.getProcess().getUser().setUid(0); });
  ExpectRefused("seccomp_unconfined", [](Spec spec) {
    spec.getProcess().getSeccomp().setType(schema::SecurityProfile::Type::UNCONFINED);
  });
  ExpectRefused("host_pid", [](Spec spec) { spec.getNamespaces().setPid(Source::HOST); });
  ExpectRefused("host_ipc", [](Spec spec) { spec.getNamespaces().setIpc(Source::HOST); });
  ExpectRefused("unmasked_proc", [](Spec spec) { spec.initMaskedPaths(0); });
  ExpectRefused("devices", [](Spec spec) {
    auto device = spec.initDevices(1)[0];
    device.setHostPath("/dev/kmsg");
    device.setContainerPath("/dev/kmsg");
    device.setPermissions("r");
  });
  ExpectRefused("devices", [](Spec spec) { spec.initCdiDevices(1)[0].setHostPath("/dev/kmsg"); });
  ExpectRefused("cdi", [](Spec spec) { spec.initHooks(1)[0].setPath("/bin/true"); });
  ExpectRefused("log_dirs", [](Spec spec) { spec.setLogPath("/etc/cron.d/x"); });
}

TEST_F(LaunchPolicy, TheNodesNetworkAndAProcessOfTheNode) {
  policies_.node.host_network = false;
  Publish(policies_);
  ExpectRefused("host_network", [](auto) {});
  policies_.node.host_network = true;
  Publish(policies_);
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  ASSERT_TRUE(pidfd_);
  ExpectRefused("host_pid", [](schema::ContainerSpec::Builder spec) {
    spec.getNamespaces().setPid(Source::TARGET);
  });
  pidfd_.Reset();
}

// A file of root's is not yet a program that root wants run here.
TEST_F(LaunchPolicy, OnlyConfiguredProgramsAreRun) {
  policies_.programs = {{"crun", "/usr/bin/true"}, {"other", "/usr/bin/crun"}};
  Publish(policies_);
  const absl::Status status = Create({"true"}, Modest);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("runtime crun"));
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_EQ(Exec({"id"}).status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(Delete().ok()) << "no bundle is there, so no program is run";
}

TEST_F(LaunchPolicy, WithoutAPolicyNothingRuns) {
  fs::remove(dir_ / "run" / security::kPodPolicyFile);
  EXPECT_FALSE(Create({"true"}, Modest).ok());
  EXPECT_TRUE(NothingIsLeft());
}

}  // namespace
}  // namespace bulkhead::launch
