#include <linux/capability.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/explain/manifest.h"
#include "tools/explain/quantity.h"
#include "tools/explain/verdict.h"

namespace bulkhead::tools {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kModest[] = R"({
  "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "team"},
  "spec": {
    "securityContext": {"runAsNonRoot": true, "runAsUser": 1000,
                        "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "data", "emptyDir": {}}],
    "containers": [{
      "name": "main", "image": "x",
      "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
      "volumeMounts": [{"name": "data", "mountPath": "/data"}],
      "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}
    }]
  }})";

std::vector<std::string> Explain(const std::string& text, const std::string& profile,
                                 const ManifestOptions& options = {}) {
  const auto wish = ReadManifest(text, options);
  EXPECT_TRUE(wish.ok()) << wish.status();
  if (!wish.ok()) return {};
  return ExplainPod({.node = *security::PodProfile(profile)}, wish->kubernetes_namespace, *wish);
}

// The modest pod with something put at a place in it.
std::string With(const std::string& pointer, const char* value) {
  nlohmann::json pod = nlohmann::json::parse(kModest);
  pod[nlohmann::json::json_pointer(pointer)] = nlohmann::json::parse(value);
  return pod.dump();
}

TEST(Explain, AModestPodIsAllowedEverywhere) {
  for (const char* profile : {"compatible", "baseline", "restricted"}) {
    EXPECT_THAT(Explain(kModest, profile), IsEmpty()) << profile;
  }
}

TEST(Explain, EachFieldByItsKey) {
  struct Case {
    const char* pointer;
    const char* value;
    const char* key;
  };
  const std::string container = "/spec/containers/0";
  for (const Case& one : std::initializer_list<Case>{
           {"/spec/hostNetwork", "true", "pods.host_network"},
           {"/spec/hostPID", "true", "pods.host_pid"},
           {"/spec/hostIPC", "true", "pods.host_ipc"},
           {"/spec/securityContext/sysctls", R"([{"name": "net.core.somaxconn", "value": "1"}])",
            "pods.sysctls"},
           {"/spec/containers/0/securityContext/privileged", "true", "pods.privileged"},
           {"/spec/containers/0/securityContext/capabilities", R"({"add": ["SYS_ADMIN"]})",
            "pods.capabilities"},
           {"/spec/containers/0/securityContext/seccompProfile", R"({"type": "Unconfined"})",
            "pods.seccomp_unconfined"},
           {"/spec/containers/0/securityContext/procMount", R"("Unmasked")", "pods.unmasked_proc"},
           {"/spec/containers/0/securityContext/seLinuxOptions", R"({"type": "spc_t"})",
            "pods.selinux_overrides"},
           {"/spec/containers/0/ports", R"([{"containerPort": 1, "hostPort": 80}])",
            "pods.host_ports"},
           {"/spec/volumes/0", R"({"name": "data", "hostPath": {"path": "/etc"}})",
            "pods.host_paths"},
           {"/spec/containers/0/volumeMounts/0",
            R"({"name": "data", "mountPath": "/d", "mountPropagation": "Bidirectional"})",
            "pods.privileged"},
       }) {
    const std::string pod = With(one.pointer, one.value);
    EXPECT_THAT(Explain(pod, "baseline"), Contains(HasSubstr(one.key))) << one.pointer;
    EXPECT_THAT(Explain(pod, "compatible"), IsEmpty()) << one.pointer;
  }
}

TEST(Explain, WhatOnlyRestrictedRefuses) {
  for (const auto& [pointer, value, key] :
       {std::tuple("/spec/containers/0/securityContext/allowPrivilegeEscalation", "true",
                   "pods.privilege_escalation"),
        std::tuple("/spec/containers/0/securityContext/runAsUser", "0", "pods.run_as_root"),
        std::tuple("/spec/containers/0/securityContext/capabilities", R"({"drop": ["KILL"]})",
                   "pods.capabilities")}) {
    EXPECT_THAT(Explain(With(pointer, value), "restricted"), Contains(HasSubstr(key)));
    EXPECT_THAT(Explain(With(pointer, value), "baseline"), IsEmpty()) << pointer;
  }
}

TEST(Explain, AllRefusalsOfAllContainersAreSaid) {
  const auto lines = Explain(
      R"({"kind": "Pod", "spec": {"hostNetwork": true, "hostPID": true,
          "initContainers": [{"name": "i", "securityContext": {"privileged": true}}],
          "containers": [{"name": "m"}]}})",
      "restricted");
  for (const char* part : {"spec: ", "host_network", "host_pid", "spec.initContainers[0] (i): ",
                           "spec.containers[0] (m): ", "CAP_", "no_new_privs", "Unconfined"}) {
    EXPECT_THAT(lines, Contains(HasSubstr(part))) << part;
  }
}

TEST(Explain, SilenceOnSeccompIsWhatKubeletMakesOfIt) {
  const std::string pod = With("/spec/securityContext", R"({"runAsUser": 1000})");
  EXPECT_THAT(Explain(pod, "baseline"), Contains(HasSubstr("seccomp_unconfined")));
  EXPECT_THAT(Explain(pod, "baseline", {.seccomp_default = true}), IsEmpty());
}

TEST(Explain, LimitsAndNamespaces) {
  const auto wish = ReadManifest(kModest, {});
  ASSERT_TRUE(wish.ok());
  security::PodPolicies policies = {.node = *security::PodProfile("restricted")};
  policies.node.memory_max = 64 << 20;
  policies.node.cpu_max = 500;
  EXPECT_THAT(ExplainPod(policies, "team", *wish), IsEmpty());
  policies.node.memory_max -= 1;
  policies.node.cpu_max -= 1;
  EXPECT_THAT(ExplainPod(policies, "team", *wish), SizeIs(2));
  policies.namespaces["team"] = *security::PodProfile("compatible");
  EXPECT_THAT(ExplainPod(policies, "team", *wish), IsEmpty());
}

TEST(Explain, SaysWhatItCannotKnow) {
  const auto wish = ReadManifest(
      R"({"kind": "Pod", "spec": {"runtimeClassName": "kata", "containers": [{"name": "m"}]}})",
      {});
  ASSERT_TRUE(wish.ok());
  EXPECT_THAT(wish->unknown, Contains(HasSubstr("runtimeClassName")));
  EXPECT_THAT(wish->unknown, Contains(HasSubstr("image's user")));
}

TEST(Explain, WhatIsNoManifestIsAnError) {
  for (const std::string text :
       {"", "nonsense", "[]", "{}", R"({"kind": "Pod"})", R"({"kind": "Service", "spec": {}})",
        R"({"kind": "Pod", "spec": {"containers": 7}})"}) {
    EXPECT_FALSE(ReadManifest(text, {}).ok()) << text;
  }
  EXPECT_EQ(ReadManifest(std::string(2000, '[') + std::string(2000, ']'), {}).status().code(),
            absl::StatusCode::kResourceExhausted);
  // Of the wrong kind, each is as if it were not there.
  EXPECT_TRUE(ReadManifest(R"({"kind": "Pod", "metadata": 1, "spec": {"securityContext": [],
      "volumes": 1, "containers": [1, {"ports": {}, "securityContext": {"capabilities": 3},
      "volumeMounts": [2], "resources": {"limits": {"memory": {}}}}]}})",
                           {})
                  .ok());
}

TEST(Explain, Quantities) {
  EXPECT_EQ(ParseQuantity("64Mi"), 64 << 20);
  EXPECT_EQ(ParseQuantity("1G"), 1'000'000'000);
  EXPECT_EQ(ParseQuantity(7), 7);
  EXPECT_EQ(ParseQuantity("1500m"), 2);
  EXPECT_EQ(ParseMilliQuantity("0.1"), 100);
  EXPECT_EQ(ParseMilliQuantity("500m"), 500);
  EXPECT_EQ(ParseMilliQuantity(2), 2000);
  for (const char* text : {"", "x", "Mi", "-1", "1e30", "nan"}) {
    EXPECT_FALSE(ParseQuantity(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseQuantity(nullptr).has_value());
}

}  // namespace
}  // namespace bulkhead::tools
