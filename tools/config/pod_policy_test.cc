#include "tools/config/pod_policy.h"

#include <linux/capability.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/policy/pod_policy_codec.h"
#include "tools/config/settings.h"

namespace bulkhead::tools {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<security::PodPolicies> Parse(const std::string& text) {
  Settings settings;
  settings.pod_policies = DefaultPodPolicies();
  absl::Status status = ApplyPolicyToml(text, "policy.toml", &settings);
  if (!status.ok()) return status;
  return settings.pod_policies;
}

TEST(PodPolicyToml, NothingSaidIsCompatible) {
  const auto policies = Parse("");
  ASSERT_TRUE(policies.ok());
  EXPECT_EQ(*EncodePodPolicies(*policies), *EncodePodPolicies(DefaultPodPolicies()));
  EXPECT_EQ(policies->node.profile, "compatible");
  EXPECT_EQ(base::ToHex(policies->hash), base::ToHex(PolicyHash("compatible")));
}

TEST(PodPolicyToml, KeysOverrideTheProfileWhereverItStands) {
  const auto policies = Parse(R"([pods]
host_network = true
exec = false
capabilities = ["NET_BIND_SERVICE", "CAP_CHOWN"]
host_paths = ["/srv/", {path = "/etc/localtime", read_only = true}]
host_ports = ["80", "30000-32767"]
devices = ["/dev/fuse"]
cdi = ["example.com/gpu=*"]
sysctls = ["net.core.*"]
runtimes = ["crun"]
log_dirs = ["/var/log/pods"]
kubelet_root = "/data/kubelet"
memory_max = 1073741824
cpu_max = 2500
pids_max = 100
profile = "restricted"
)");
  ASSERT_TRUE(policies.ok()) << policies.status();
  const security::PodPolicy& node = policies->node;
  EXPECT_EQ(node.profile, "restricted");
  EXPECT_TRUE(node.host_network);
  EXPECT_FALSE(node.host_pid);
  EXPECT_FALSE(node.exec);
  EXPECT_FALSE(node.run_as_root);
  EXPECT_EQ(node.capabilities, 1u << CAP_NET_BIND_SERVICE | 1u << CAP_CHOWN);
  ASSERT_EQ(node.host_paths.size(), 2u);
  EXPECT_EQ(node.host_paths[0].prefix, "/srv");
  EXPECT_TRUE(node.host_paths[1].read_only);
  EXPECT_EQ(node.host_ports[0].last, 80);
  EXPECT_EQ(node.host_ports[1].first, 30000);
  EXPECT_EQ(node.kubelet_root, "/data/kubelet");
  EXPECT_EQ(node.memory_max, 1u << 30);
  EXPECT_EQ(node.cpu_max, 2500u);
  EXPECT_EQ(node.pids_max, 100u);
}

TEST(PodPolicyToml, NamespacesBeginWithTheNodesKeysOrAProfile) {
  const auto policies = Parse(R"([pods.namespace.kube-system]
profile = "compatible"
[pods.namespace."team"]
host_network = true
[pods]
profile = "baseline"
port_forward = false
namespaces_trusted = false
)");
  ASSERT_TRUE(policies.ok()) << policies.status();
  EXPECT_FALSE(policies->namespaces_trusted);
  EXPECT_TRUE(policies->namespaces.at("kube-system").privileged);
  EXPECT_TRUE(policies->namespaces.at("kube-system").port_forward);
  const security::PodPolicy& team = policies->namespaces.at("team");
  EXPECT_TRUE(team.host_network);
  EXPECT_FALSE(team.privileged);
  EXPECT_FALSE(team.port_forward);
  EXPECT_EQ(team.table, "pods.namespace.team");
  EXPECT_FALSE(policies->node.host_network);
}

TEST(PodPolicyToml, MistakesAreNamed) {
  for (const auto& [text, key] : {
           std::pair("[pods]\nprofile = \"none\"", "pods.profile"),
           std::pair("[pods]\nprivilegde = true", "pods.privilegde"),
           std::pair("[pods]\nprivileged = 1", "pods.privileged"),
           std::pair("[pods]\ncapabilities = [\"SYS_ADMIM\"]", "pods.capabilities[0]"),
           std::pair("[pods]\nhost_paths = [\"relative\"]", "pods.host_paths[0]"),
           std::pair("[pods]\nhost_paths = [\"/a/../b\"]", "pods.host_paths[0]"),
           std::pair("[pods]\nhost_paths = [{read_only = true}]", "pods.host_paths[0]"),
           std::pair("[pods]\nhost_paths = [{path = \"/a\", ro = true}]", "pods.host_paths[0].ro"),
           std::pair("[pods]\nhost_ports = [\"0\"]", "pods.host_ports[0]"),
           std::pair("[pods]\nhost_ports = [\"9-8\"]", "pods.host_ports[0]"),
           std::pair("[pods]\nhost_ports = [\"1-2-3\"]", "pods.host_ports[0]"),
           std::pair("[pods]\nhost_ports = [80]", "pods.host_ports[0]"),
           std::pair("[pods]\nhost_ports = [\"65536\"]", "pods.host_ports[0]"),
           std::pair("[pods]\ndevices = \"/dev/a\"", "pods.devices"),
           std::pair("[pods]\ncdi = [\"a b\"]", "pods.cdi[0]"),
           std::pair("[pods]\nsysctls = [\"\"]", "pods.sysctls[0]"),
           std::pair("[pods]\nmemory_max = -1", "pods.memory_max"),
           std::pair("[pods.namespace.\"Kube\"]\nexec = true", "pods.namespace.Kube"),
           std::pair("[pods.namespace.a]\nnamespaces_trusted = true",
                     "pods.namespace.a.namespaces_trusted"),
           std::pair("[pods.namespace.a.namespace.b]\nexec = true", "pods.namespace.a.namespace"),
           std::pair("pods = 3", "pods"),
       }) {
    const absl::Status status = Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("key '", key, "'"))) << text;
    EXPECT_THAT(status.message(), HasSubstr("policy.toml:")) << text;
  }
}

TEST(PodPolicyToml, WhatIsShownCanBeReadAgain) {
  for (const char* profile : {"compatible", "baseline", "restricted"}) {
    auto first = Parse(absl::StrCat("[pods]\nprofile = \"", profile, R"("
host_paths = ["/a", {path = "/b", read_only = true}]
host_ports = ["1", "2-3"]
[pods.namespace.x]
profile = "compatible"
)"));
    ASSERT_TRUE(first.ok()) << first.status();
    const std::string text = PodPolicyText(*first);
    EXPECT_THAT(text, HasSubstr(base::ToHex(first->hash)));
    auto again = Parse(text);
    ASSERT_TRUE(again.ok()) << again.status() << text;
    EXPECT_EQ(*EncodePodPolicies(*again), *EncodePodPolicies(*first)) << text;
  }
}

TEST(PodPolicyToml, TheHashIsTheFiles) {
  char name[] = "/tmp/pod-policy-toml-XXXXXX";
  const std::string dir = mkdtemp(name);
  const std::string policy = "# a comment counts\n[pods]\nprofile = \"baseline\"\n";
  std::ofstream(dir + "/policy.toml") << policy;
  std::ofstream(dir + "/c.toml") << "policy_file = \"" << dir << "/policy.toml\"\n";
  chmod((dir + "/policy.toml").c_str(), 0600);
  chmod((dir + "/c.toml").c_str(), 0600);
  const auto settings = LoadSettings(dir + "/c.toml");
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->pod_policies.hash, PolicyHash(policy));
  EXPECT_EQ(settings->pod_policies.node.profile, "baseline");
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace bulkhead::tools
