#include "broker/plan/policy.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "broker/state/record.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::broker {
namespace {

using schema::NamespaceMode;
using security::PodStream;
using ::testing::HasSubstr;

constexpr const char* kMasked[] = {"/proc/acpi",          "/proc/kcore",      "/proc/keys",
                                   "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
                                   "/proc/scsi",          "/sys/firmware"};
constexpr const char* kReadonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                     "/proc/sysrq-trigger"};

template <size_t N>
void Fill(capnp::List<capnp::Text>::Builder list, const char* const (&texts)[N]) {
  for (unsigned i = 0; i < N; ++i) list.set(i, texts[i]);
}

// A pod and a container of it that keep to the restricted standard, and the policy for that.
class AskPolicy : public ::testing::Test {
 protected:
  using Pod = schema::PodConfig::Builder;
  using Container = schema::ContainerConfig::Builder;

  AskPolicy() {
    policies_ = security::PodPolicies{.node = *security::PodProfile("restricted")};
    auto pod = pod_.edit().initConfig();
    pod.setNamespace("team");
    pod.setUid("abc");
    pod.setLogDirectory("/var/log/pods/team_pod_abc");
    auto config = config_.edit();
    config.setLogPath("main/0.log");
    auto context = config.initSecurity();
    context.setNoNewPrivs(true);
    context.setDropAllCapabilities(true);
    context.setHasRunAsUser(true);
    context.setRunAsUser(1000);
    context.setHasSeccomp(true);
    Fill(context.initMaskedPaths(std::size(kMasked)), kMasked);
    Fill(context.initReadonlyPaths(std::size(kReadonly)), kReadonly);
  }
  absl::Status Ask() {
    return AskForContainer(policies_, pod_.read(), config_.read(), cdi_.read(), "crun");
  }
  void ExpectPod(const std::string& key, const std::function<void(Pod)>& change) {
    Record<schema::PodConfig> changed(pod_.read().getConfig());
    change(changed.edit());
    EXPECT_EQ(security::RuleOf(AskForPod(policies_, changed.read())), absl::StrCat("pods.", key));
  }
  void ExpectContainer(const std::string& key, const std::function<void(Container)>& change) {
    Record<schema::ContainerConfig> kept(config_.read());
    change(config_.edit());
    EXPECT_EQ(security::RuleOf(Ask()), absl::StrCat("pods.", key)) << Ask();
    config_ = std::move(kept);
  }
  Policies policies_;
  Record<schema::Pod> pod_;
  Record<schema::ContainerConfig> config_;
  Record<schema::CdiEdits> cdi_;
};

TEST_F(AskPolicy, GrantsWhatKeepsToIt) {
  EXPECT_TRUE(AskForPod(policies_, pod_.read().getConfig()).ok());
  EXPECT_TRUE(Ask().ok()) << Ask();
}

TEST_F(AskPolicy, BeforeItHasComeNothingIsGranted) {
  policies_.reset();
  EXPECT_EQ(AskForPod(policies_, pod_.read().getConfig()).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Ask().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(AskForStream(policies_, pod_.read(), PodStream::kExec).ok());
  Record<schema::Resources> resources;
  EXPECT_FALSE(AskForLimits(policies_, pod_.read(), resources.read()).ok());
}

TEST_F(AskPolicy, EachFieldOfAPod) {
  ExpectPod("privileged", [](Pod pod) { pod.setPrivileged(true); });
  ExpectPod("host_network", [](Pod pod) { pod.setNetwork(NamespaceMode::NODE); });
  ExpectPod("host_pid", [](Pod pod) { pod.setPid(NamespaceMode::NODE); });
  ExpectPod("host_ipc", [](Pod pod) { pod.setIpc(NamespaceMode::NODE); });
  ExpectPod("sysctls", [](Pod pod) { pod.initSysctls(1)[0].setKey("kernel.msgmax"); });
  ExpectPod("host_ports", [](Pod pod) { pod.initPortMappings(1)[0].setHostPort(80); });
  ExpectPod("log_dirs", [](Pod pod) { pod.setLogDirectory("/etc"); });
  policies_->node.runtimes = {"crun"};
  ExpectPod("runtimes", [](Pod pod) { pod.setHandler("runc"); });
  policies_->node.user_namespace_required = true;
  ExpectPod("user_namespace_required", [](Pod) {});
  Record<schema::PodConfig> own(pod_.read().getConfig());
  own.edit().setUserNamespace(NamespaceMode::POD);
  EXPECT_TRUE(AskForPod(policies_, own.read()).ok());
}

TEST_F(AskPolicy, EachFieldOfAContainer) {
  using Type = schema::SecurityProfile::Type;
  ExpectContainer("privileged", [](Container c) { c.getSecurity().setPrivileged(true); });
  ExpectContainer("host_pid", [](Container c) { c.getSecurity().setPid(NamespaceMode::NODE); });
  ExpectContainer("capabilities",
                  [](Container c) { c.getSecurity().setDropAllCapabilities(false); });
  ExpectContainer("capabilities", [](Container c) { c.getSecurity().setAmbientCapabilities(2); });
  ExpectContainer("privilege_escalation",
                  [](Container c) { c.getSecurity().setNoNewPrivs(false); });
  ExpectContainer("run_as_root", [](Container c) { c.getSecurity().setRunAsUser(0); });
  ExpectContainer("seccomp_unconfined", [](Container c) { c.getSecurity().setHasSeccomp(false); });
  ExpectContainer("seccomp_unconfined",
                  [](Container c) { c.getSecurity().getSeccomp().setType(Type::UNCONFINED); });
  ExpectContainer("unmasked_proc", [](Container c) { c.getSecurity().initReadonlyPaths(0); });
  ExpectContainer("selinux_overrides",
                  [](Container c) { c.getSecurity().getSelinux().setType("spc_t"); });
  ExpectContainer("devices", [](Container c) { c.initDevices(1)[0].setHostPath("/dev/sda"); });
  ExpectContainer("cdi", [](Container c) { c.initCdiDevices(1).set(0, "a.example/b=c"); });
  ExpectContainer("host_paths", [](Container c) { c.initMounts(1)[0].setHostPath("/etc"); });
  ExpectContainer("privileged", [](Container c) {
    c.initMounts(1)[0].setPropagation(schema::Mount::Propagation::BIDIRECTIONAL);
  });
  policies_->node.seccomp_localhost = policies_->node.apparmor_overrides = false;
  ExpectContainer("seccomp_localhost",
                  [](Container c) { c.getSecurity().getSeccomp().setType(Type::LOCALHOST); });
  ExpectContainer("apparmor_overrides",
                  [](Container c) { c.getSecurity().setApparmorProfile("mine"); });
}

TEST_F(AskPolicy, WhatTheContainerHasOfItsPod) {
  pod_.edit().getConfig().setNetwork(NamespaceMode::NODE);
  ExpectContainer("host_network", [](Container) {});
  pod_.edit().getConfig().setNetwork(NamespaceMode::POD);
  pod_.edit().getConfig().setIpc(NamespaceMode::NODE);
  ExpectContainer("host_ipc", [](Container) {});
  pod_.edit().getConfig().setIpc(NamespaceMode::POD);
  pod_.edit().getConfig().setLogDirectory("/srv");
  ExpectContainer("log_dirs", [](Container) {});
  pod_.edit().getConfig().setLogDirectory("");
  policies_->node.user_namespace_required = true;
  ExpectContainer("user_namespace_required", [](Container) {});
  pod_.edit().initIdMapping().setLength(65536);
  EXPECT_TRUE(Ask().ok()) << Ask();
}

TEST_F(AskPolicy, WhatACdiDeviceBringsAlong) {
  policies_->node.cdi = {"a.example/**"};
  config_.edit().initCdiDevices(1).set(0, "a.example/b=c");
  EXPECT_TRUE(Ask().ok()) << Ask();
  cdi_.edit().initDevices(1)[0].setHostPath("/dev/gpu0");
  EXPECT_EQ(security::RuleOf(Ask()), "pods.devices");
  policies_->node.devices = {"/dev/gpu0"};
  EXPECT_TRUE(Ask().ok()) << Ask();
  cdi_.edit().initMounts(1)[0].setHostPath("/usr/lib/gpu");
  EXPECT_EQ(security::RuleOf(Ask()), "pods.host_paths");
  policies_->node.host_paths = {{"/usr/lib/gpu", false}};
  EXPECT_TRUE(Ask().ok()) << Ask();
  policies_->node.cdi = {};
  config_.edit().initCdiDevices(0);
  cdi_.edit().initHooks(1);
  EXPECT_EQ(security::RuleOf(Ask()), "pods.cdi");
}

TEST_F(AskPolicy, MountsAreNamedByTheirPlace) {
  auto mounts = config_.edit().initMounts(3);
  mounts[0].setHostPath("/var/lib/kubelet/pods/abc/etc-hosts");
  mounts[1].setImage("sha256:1");
  mounts[2].setHostPath("/var/lib/kubelet/pods/other/volumes/x");
  EXPECT_THAT(Ask().message(),
              HasSubstr("config.mounts[2].host_path: /var/lib/kubelet/pods/other"));
}

TEST_F(AskPolicy, UserLimitsAndStreams) {
  Record<schema::Process> process;
  process.edit().setNoNewPrivileges(true);
  EXPECT_EQ(security::RuleOf(AskForUser(policies_, pod_.read(), process.read())),
            "pods.run_as_root");
  process.edit().initUser().setUid(7);
  EXPECT_TRUE(AskForUser(policies_, pod_.read(), process.read()).ok());
  policies_->node.pids_max = 10;
  Record<schema::Resources> resources;
  auto file = resources.edit().initUnified(1)[0];
  file.setKey("pids.max");
  file.setValue("11");
  EXPECT_EQ(security::RuleOf(AskForLimits(policies_, pod_.read(), resources.read())),
            "pods.pids_max");
  policies_->node.attach = false;
  EXPECT_TRUE(AskForStream(policies_, pod_.read(), PodStream::kExec).ok());
  EXPECT_FALSE(AskForStream(policies_, pod_.read(), PodStream::kAttach).ok());
}

}  // namespace
}  // namespace bulkhead::broker
