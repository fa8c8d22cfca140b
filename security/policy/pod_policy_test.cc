#include "security/policy/pod_policy.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/policy/pod_policy_codec.h"

namespace bulkhead::security {
namespace {

using ::testing::HasSubstr;

PodPolicy Profile(const std::string& name) { return *PodProfile(name); }

// What kubelet asks for a container that keeps to the restricted standard.
ContainerFacts Modest() {
  ContainerFacts facts;
  facts.user_namespace = true;
  facts.runtime = "crun";
  facts.log_path = "/var/log/pods/ns_pod_uid/main/0.log";
  facts.process = {.no_new_privs = true, .uid = 1000};
  return facts;
}

PodFacts ModestPod() {
  PodFacts facts;
  facts.user_namespace = true;
  facts.log_directory = "/var/log/pods/ns_pod_uid";
  facts.sysctls = {"net.ipv4.tcp_syncookies", "net/ipv4/ping_group_range"};
  return facts;
}

// One thing that a pod or container asks for, and the key that stands against it.
struct Case {
  std::string key;
  std::function<void(PodPolicy*)> allow, forbid;
  std::function<void(ContainerFacts*)> container;
  std::function<void(PodFacts*)> pod;
};

using P = PodPolicy*;
using C = ContainerFacts*;
using S = PodFacts*;

Case OfFlag(const std::string& key, bool PodPolicy::*flag, std::function<void(C)> container,
            std::function<void(S)> pod = nullptr) {
  return {key, [flag](P p) { p->*flag = true; }, [flag](P p) { p->*flag = false; },
          std::move(container), std::move(pod)};
}

std::vector<Case> Flags() {
  return {
      OfFlag(
          "privileged", &PodPolicy::privileged, [](C c) { c->privileged = true; },
          [](S s) { s->privileged = true; }),
      OfFlag("privileged", &PodPolicy::privileged, [](C c) { c->shares_mounts = true; }),
      OfFlag(
          "host_network", &PodPolicy::host_network, [](C c) { c->host_network = true; },
          [](S s) { s->host_network = true; }),
      OfFlag(
          "host_pid", &PodPolicy::host_pid, [](C c) { c->host_pid = true; },
          [](S s) { s->host_pid = true; }),
      OfFlag(
          "host_ipc", &PodPolicy::host_ipc, [](C c) { c->host_ipc = true; },
          [](S s) { s->host_ipc = true; }),
      OfFlag("seccomp_unconfined", &PodPolicy::seccomp_unconfined,
             [](C c) { c->process.seccomp_unconfined = true; }),
      OfFlag("seccomp_localhost", &PodPolicy::seccomp_localhost,
             [](C c) { c->process.seccomp_localhost = true; }),
      OfFlag("privilege_escalation", &PodPolicy::privilege_escalation,
             [](C c) { c->process.no_new_privs = false; }),
      OfFlag("run_as_root", &PodPolicy::run_as_root, [](C c) { c->process.uid = 0; }),
      OfFlag("unmasked_proc", &PodPolicy::unmasked_proc, [](C c) { c->unmasked_proc = true; }),
      OfFlag("apparmor_overrides", &PodPolicy::apparmor_overrides,
             [](C c) { c->apparmor = "mine"; }),
      OfFlag("selinux_overrides", &PodPolicy::selinux_overrides,
             [](C c) { c->selinux_type = "spc_t"; }),
      OfFlag("selinux_overrides", &PodPolicy::selinux_overrides,
             [](C c) { c->selinux_user = "system_u"; }),
      OfFlag("selinux_overrides", &PodPolicy::selinux_overrides,
             [](C c) { c->selinux_role = "sysadm_r"; }),
      {"user_namespace_required", [](P p) { p->user_namespace_required = false; },
       [](P p) { p->user_namespace_required = true; }, [](C c) { c->user_namespace = false; },
       [](S s) { s->user_namespace = false; }},
  };
}

std::vector<Case> Lists() {
  return {
      {"capabilities", [](P p) { p->capabilities |= uint64_t{1} << CAP_SYS_ADMIN; },
       [](P p) { p->capabilities = ~(uint64_t{1} << CAP_SYS_ADMIN); },
       [](C c) { c->process.capabilities = uint64_t{1} << CAP_SYS_ADMIN; }, nullptr},
      {"devices", [](P p) { p->devices = {"/dev/a"}; }, [](P p) { p->devices = {"/dev/ab"}; },
       [](C c) { c->devices = {"/dev/a/b"}; }, nullptr},
      {"cdi", [](P p) { p->cdi = {"example.com/gpu=*"}; },
       [](P p) { p->cdi = {"example.com/net=*"}; }, [](C c) { c->cdi = {"example.com/gpu=0"}; },
       nullptr},
      {"cdi", [](P p) { p->cdi = {"a.b/c=*"}; }, [](P p) { p->cdi = {}; },
       [](C c) { c->hooks = true; }, nullptr},
      {"runtimes", [](P p) { p->runtimes = {"crun"}; }, [](P p) { p->runtimes = {"runc"}; },
       [](C c) { c->runtime = "crun"; }, [](S s) { s->runtime = "crun"; }},
      {"log_dirs", [](P p) { p->log_dirs = {"/srv/logs"}; }, [](P p) { p->log_dirs = {"/srv/lo"}; },
       [](C c) { c->log_path = "/srv/logs/x"; }, [](S s) { s->log_directory = "/srv/logs/x"; }},
      {"sysctls", [](P p) { p->sysctls = {"net.core.*"}; },
       [](P p) { p->sysctls = {"net.ipv6.*"}; }, nullptr,
       [](S s) { s->sysctls = {"net.core.somaxconn"}; }},
      {"sysctls", [](P p) { p->sysctls = {"net.core.somaxconn"}; }, [](P p) { p->sysctls = {}; },
       nullptr, [](S s) { s->sysctls = {"net/core/somaxconn"}; }},
      {"host_ports",
       [](P p) {
         p->host_ports = {{80, 80}};
       },
       [](P p) {
         p->host_ports = {{1, 79}, {81, 65535}};
       },
       nullptr,
       [](S s) {
         s->host_ports = {0, 80};
       }},
      {"memory_max", [](P p) { p->memory_max = 1024; }, [](P p) { p->memory_max = 1023; },
       [](C c) { c->limits.memory = 1024; }, nullptr},
      {"memory_max", [](P p) { p->memory_max = 0; }, [](P p) { p->memory_max = 1; },
       [](C c) { c->limits.memory = 0; }, nullptr},
      {"memory_max", [](P p) { p->memory_max = 0; }, [](P p) { p->memory_max = 1 << 30; },
       [](C c) { c->limits.memory = -1; }, nullptr},
      {"cpu_max", [](P p) { p->cpu_max = 500; }, [](P p) { p->cpu_max = 499; },
       [](C c) { c->limits.cpu_quota = 50'000; }, nullptr},
      {"cpu_max", [](P p) { p->cpu_max = 2000; }, [](P p) { p->cpu_max = 1999; },
       [](C c) { c->limits = {.cpu_quota = 20'000, .cpu_period = 10'000}; }, nullptr},
      {"cpu_max", [](P p) { p->cpu_max = 0; }, [](P p) { p->cpu_max = 64'000; },
       [](C c) { c->limits.cpu_quota = -1; }, nullptr},
      {"memory_max", [](P p) { p->memory_max = 0; }, [](P p) { p->memory_max = 1024; },
       [](C c) { c->limits = {.memory = 1024, .memory_file = "1025"}; }, nullptr},
      {"cpu_max", [](P p) { p->cpu_max = 0; }, [](P p) { p->cpu_max = 1000; },
       [](C c) { c->limits = {.cpu_quota = 1000, .cpu_file = "1000 100000"}; }, nullptr},
      {"pids_max", [](P p) { p->pids_max = 100; }, [](P p) { p->pids_max = 99; },
       [](C c) { c->limits.pids_file = "100"; }, nullptr},
      {"pids_max", [](P p) { p->pids_max = 0; }, [](P p) { p->pids_max = 99; },
       [](C c) { c->limits.pids_file = "max"; }, nullptr},
  };
}

void ExpectRefusal(const absl::Status& status, const std::string& key) {
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << key;
  EXPECT_EQ(RuleOf(status), absl::StrCat("pods.", key)) << status;
}

void CheckCase(const Case& one) {
  for (const char* name : {"compatible", "baseline", "restricted"}) {
    PodPolicy allowing = Profile(name), forbidding = Profile(name);
    one.allow(&allowing);
    one.forbid(&forbidding);
    if (one.container) {
      ContainerFacts facts = Modest();
      one.container(&facts);
      EXPECT_TRUE(CheckContainer(allowing, facts).ok())
          << one.key << " " << CheckContainer(allowing, facts);
      ExpectRefusal(CheckContainer(forbidding, facts), one.key);
    }
    if (one.pod) {
      PodFacts facts = ModestPod();
      one.pod(&facts);
      EXPECT_TRUE(CheckPod(allowing, facts).ok()) << one.key << " " << CheckPod(allowing, facts);
      ExpectRefusal(CheckPod(forbidding, facts), one.key);
    }
  }
}

TEST(PodPolicy, EachFlagIsWhatDecides) {
  for (const Case& one : Flags()) CheckCase(one);
}

TEST(PodPolicy, EachListAndNumberIsWhatDecides) {
  for (const Case& one : Lists()) CheckCase(one);
}

TEST(PodPolicy, ModestPodsMayRunUnderEachProfile) {
  for (const char* name : {"compatible", "baseline", "restricted"}) {
    EXPECT_TRUE(CheckPod(Profile(name), ModestPod()).ok()) << CheckPod(Profile(name), ModestPod());
    EXPECT_TRUE(CheckContainer(Profile(name), Modest()).ok())
        << CheckContainer(Profile(name), Modest());
  }
}

TEST(PodPolicy, WithoutAProfileNothingIsGranted) {
  EXPECT_FALSE(CheckContainer(PodPolicy(), Modest()).ok());
  EXPECT_FALSE(CheckPod(PodPolicy(), ModestPod()).ok());
  EXPECT_FALSE(CheckHostPath(PodPolicy(), "uid", "f", "/pods/uid", true).ok());
  EXPECT_FALSE(PodProfile("none").has_value());
}

TEST(PodPolicy, CompatibleGrantsWhateverIsAskedFor) {
  ContainerFacts facts = Modest();
  facts.privileged = facts.host_network = facts.host_pid = facts.host_ipc = true;
  facts.unmasked_proc = facts.shares_mounts = facts.hooks = true;
  facts.user_namespace = false;
  facts.devices = {"/dev/sda"};
  facts.cdi = {"a.example/b=c"};
  facts.log_path = "/anywhere";
  facts.selinux_type = facts.apparmor = "x";
  facts.process = {.capabilities = ~uint64_t{0}, .seccomp_unconfined = true, .uid = 0};
  EXPECT_TRUE(CheckContainer(Profile("compatible"), facts).ok())
      << CheckContainer(Profile("compatible"), facts);
  const auto path =
      CheckHostPath(Profile("compatible"), "u", "f", "/var/lib/kubelet/pods/u", false);
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(path->root, "/") << "links as the node has them";
  for (PodStream stream : {PodStream::kExec, PodStream::kAttach, PodStream::kPortForward}) {
    EXPECT_TRUE(CheckStream(Profile("compatible"), stream).ok());
  }
}

TEST(PodPolicy, RestrictedLeavesOneCapability) {
  ProcessFacts facts = Modest().process;
  facts.capabilities = uint64_t{1} << CAP_NET_BIND_SERVICE;
  EXPECT_TRUE(CheckProcess(Profile("restricted"), facts).ok());
  facts.capabilities |= uint64_t{1} << CAP_CHOWN;
  EXPECT_THAT(CheckProcess(Profile("restricted"), facts).message(), HasSubstr("CAP_CHOWN"));
  EXPECT_TRUE(CheckProcess(Profile("baseline"), facts).ok());
}

TEST(PodPolicy, StreamsHaveAKeyEach) {
  PodPolicy policy = Profile("restricted");
  policy.exec = policy.attach = policy.port_forward = false;
  ExpectRefusal(CheckStream(policy, PodStream::kExec), "exec");
  ExpectRefusal(CheckStream(policy, PodStream::kAttach), "attach");
  ExpectRefusal(CheckStream(policy, PodStream::kPortForward), "port_forward");
}

TEST(PodPolicy, APodsOwnDirectoryIsItsOwnAlone) {
  const PodPolicy policy = Profile("restricted");
  const std::string pods = "/var/lib/kubelet/pods";
  const auto own = CheckHostPath(policy, "abc", "f", pods + "/abc/volumes/x", false);
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->root, pods + "/abc");
  EXPECT_EQ(own->below, "volumes/x");
  EXPECT_FALSE(own->read_only);
  for (const std::string& path : {pods + "/abcd/x", pods + "/ab", pods, std::string("/"),
                                  std::string("/etc"), std::string("/var/lib/kubelet/pki")}) {
    ExpectRefusal(CheckHostPath(policy, "abc", "config.mounts[1].host_path", path, true).status(),
                  "host_paths");
  }
  for (const char* uid : {"", ".", "..", "a/b"}) {
    EXPECT_FALSE(CheckHostPath(policy, uid, "f", pods + "/a/b", true).ok()) << uid;
  }
}

TEST(PodPolicy, TheNarrowestPathThatGrantsIsTaken) {
  PodPolicy policy = Profile("baseline");
  policy.host_paths = {{"/srv", true}, {"/srv/data", false}, {"/etc/localtime", true}};
  const auto read = CheckHostPath(policy, "u", "f", "/srv/x", true);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->read_only);
  ExpectRefusal(CheckHostPath(policy, "u", "f", "/srv/x", false).status(), "host_paths");
  ExpectRefusal(CheckHostPath(policy, "u", "f", "/srvx", true).status(), "host_paths");
  const auto data = CheckHostPath(policy, "u", "f", "/srv/data/y", true);
  EXPECT_EQ(data->root, "/srv/data");
  EXPECT_FALSE(data->read_only);
  EXPECT_EQ(CheckHostPath(policy, "u", "f", "/etc/localtime", true)->below, "");
  policy.host_paths = {{"/", true}};
  EXPECT_TRUE(CheckHostPath(policy, "u", "f", "/etc/x", true)->read_only);
  EXPECT_EQ(CheckHostPath(policy, "u", "f", "/etc/x", true)->below, "etc/x");
  EXPECT_FALSE(CheckHostPath(policy, "u", "f", "/etc/x", false).ok());
}

TEST(PodPolicy, ProcIsMaskedOnlyAsAWhole) {
  const std::vector<std::string> masked = {
      "/proc/asound",  "/proc/acpi",       "/proc/kcore",       "/proc/keys",
      "/proc/scsi",    "/proc/timer_list", "/proc/timer_stats", "/proc/latency_stats",
      "/sys/firmware", "/proc/sched_debug"};
  const std::vector<std::string> read_only = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                              "/proc/sysrq-trigger"};
  EXPECT_FALSE(IsProcUnmasked(masked, read_only));
  EXPECT_TRUE(IsProcUnmasked({}, read_only));
  EXPECT_TRUE(IsProcUnmasked(masked, {}));
  EXPECT_TRUE(IsProcUnmasked(absl::MakeSpan(masked).subspan(0, 9), read_only));
  EXPECT_TRUE(IsProcUnmasked(masked, absl::MakeSpan(read_only).subspan(1)));
}

TEST(PodPolicy, ANamespacesSectionWidensOrOnlyNarrows) {
  PodPolicies policies = {.node = Profile("restricted")};
  policies.namespaces["kube-system"] = Profile("compatible");
  policies.namespaces["kube-system"].table = "pods.namespace.kube-system";
  PodFacts facts = ModestPod();
  facts.host_network = true;
  const auto check = [&](const std::string& name) {
    return policies.Check(name, [&](const PodPolicy& policy) { return CheckPod(policy, facts); });
  };
  EXPECT_TRUE(check("kube-system").ok());
  EXPECT_FALSE(check("default").ok());
  EXPECT_FALSE(check("").ok());
  policies.namespaces_trusted = false;
  EXPECT_FALSE(check("kube-system").ok());
  policies.node = Profile("compatible");
  policies.namespaces["kube-system"].host_network = false;
  EXPECT_TRUE(check("default").ok());
  EXPECT_EQ(RuleOf(check("kube-system")), "pods.namespace.kube-system.host_network");
}

TEST(PodPolicy, CapabilitiesHaveTheirNames) {
  EXPECT_EQ(PodCapabilityName(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
  EXPECT_EQ(PodCapabilityName(CAP_CHECKPOINT_RESTORE), "CAP_CHECKPOINT_RESTORE");
  EXPECT_EQ(PodCapabilityName(63), "capability 63");
  EXPECT_EQ(PodCapabilityNumber("NET_RAW"), CAP_NET_RAW);
  EXPECT_EQ(PodCapabilityNumber("CAP_BPF"), CAP_BPF);
  EXPECT_EQ(PodCapabilityNumber("net_raw"), -1);
}

TEST(PodPolicy, OnlyARefusalHasARule) {
  EXPECT_EQ(RuleOf(absl::OkStatus()), "");
  EXPECT_EQ(RuleOf(absl::PermissionDeniedError("SignatureValidationFailed: no")), "");
  EXPECT_EQ(RuleOf(absl::InvalidArgumentError("x: refused by the node's policy, pods.exec")), "");
}

class Published : public ::testing::Test {
 protected:
  Published() {
    char name[] = "/tmp/pod-policy-XXXXXX";
    dir_ = mkdtemp(name);
    run_.Reset(open(dir_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~Published() override { std::filesystem::remove_all(dir_); }
  void Write(const std::string& bytes, mode_t mode = 0600) {
    const std::string file = absl::StrCat(dir_, "/", kPodPolicyFile);
    std::ofstream(file) << bytes;
    chmod(file.c_str(), mode);
  }
  std::string dir_;
  base::UniqueFd run_;
};

TEST_F(Published, ComesBackAsItWas) {
  if (geteuid() != 0) GTEST_SKIP() << "the file must be root's";
  PodPolicies policies = {.node = Profile("baseline"), .hash = std::string(32, '\7')};
  policies.namespaces["a"] = Profile("compatible");
  policies.namespaces["a"].host_paths = {{"/x", true}, {"/y", false}};
  policies.namespaces["a"].host_ports = {{80, 90}};
  policies.namespaces["a"].pids_max = 7;
  policies.namespaces_trusted = false;
  policies.programs = {{"crun", "/usr/bin/crun"}};
  const auto bytes = EncodePodPolicies(policies);
  ASSERT_TRUE(bytes.ok());
  Write(*bytes);
  const auto read = ReadPodPolicies(run_.get());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*EncodePodPolicies(*read), *bytes);
  EXPECT_FALSE(read->namespaces_trusted);
  EXPECT_EQ(read->namespaces.at("a").host_ports[0].last, 90);
  EXPECT_TRUE(read->namespaces.at("a").host_paths[0].read_only);
  for (const PodFlag& flag : PodFlags()) {
    EXPECT_EQ(read->node.*flag.member, policies.node.*flag.member) << flag.key;
  }
  EXPECT_EQ(read->hash, policies.hash);
  EXPECT_TRUE(CheckProgram(*read, "crun", "/usr/bin/crun").ok());
  EXPECT_FALSE(CheckProgram(*read, "crun", "/usr/bin/sh").ok());
  EXPECT_FALSE(CheckProgram(*read, "runc", "/usr/bin/crun").ok());
}

TEST_F(Published, WhatIsNotRootsOrMalformedGrantsNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "the file must be root's";
  EXPECT_EQ(ReadPodPolicies(run_.get()).status().code(), absl::StatusCode::kNotFound);
  const std::string good = *EncodePodPolicies({.node = Profile("compatible")});
  Write(good, 0620);
  EXPECT_EQ(ReadPodPolicies(run_.get()).status().code(), absl::StatusCode::kPermissionDenied);
  Write("");
  EXPECT_FALSE(ReadPodPolicies(run_.get()).ok());
  Write(good.substr(0, good.size() - 8));
  EXPECT_FALSE(ReadPodPolicies(run_.get()).ok());
  const std::string file = absl::StrCat(dir_, "/", kPodPolicyFile);
  Write(good);
  EXPECT_EQ(chown(file.c_str(), 59102, 0), 0);
  EXPECT_EQ(ReadPodPolicies(run_.get()).status().code(), absl::StatusCode::kPermissionDenied);
  unlink(file.c_str());
  EXPECT_EQ(symlink("/dev/null", file.c_str()), 0);
  EXPECT_FALSE(ReadPodPolicies(run_.get()).ok());
}

}  // namespace
}  // namespace bulkhead::security
