// The most that pods get: refused before anything is made, once more by the workers, and on record.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "security/policy/pod_policy_codec.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using Runtime = tools::CriClient::Runtime;
using Container = cri::ContainerConfig;

constexpr const char* kMasked[] = {"/proc/acpi",        "/proc/asound",        "/proc/kcore",
                                   "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
                                   "/proc/timer_stats", "/proc/sched_debug",   "/proc/scsi",
                                   "/sys/firmware"};
constexpr const char* kReadonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                     "/proc/sysrq-trigger"};

class Policy : public NodeTest {
 protected:
  Policy() {
    char name[] = "/tmp/bhpolicy.XXXXXX";
    dir_ = mkdtemp(name);
    chmod(dir_.c_str(), 0755);
    Write("[pods]\nprofile = \"restricted\"\n" + Places());
  }
  ~Policy() override { std::filesystem::remove_all(dir_); }
  NodeOptions Options() override {
    NodeOptions options;
    options.cni = true;
    options.extra_config = absl::StrCat("policy_file = \"", dir_, "/policy.toml\"");
    return options;
  }
  // Where the test has what is kubelet's on a node.
  std::string Places() const {
    return absl::StrCat("log_dirs = [\"/tmp\"]\nkubelet_root = \"", dir_, "/kubelet\"\n");
  }
  void Write(const std::string& text, mode_t mode = 0644) {
    const std::string file = dir_ + "/policy.toml";
    std::ofstream(file) << text;
    chmod(file.c_str(), mode);
  }
  // SIGHUP, and waits until the supervisor says this once more.
  void Reload(const std::string& expected) {
    const size_t before = Said(expected);
    node().up().Signal(SIGHUP);
    ASSERT_TRUE(Eventually(kPatience, [&] { return Said(expected) > before; })) << node().Log();
  }
  void Adopt(const std::string& text) {
    Write(text);
    const size_t before = Said("\"policy of pods\"");
    Reload("\"policy loaded anew\"");
    ASSERT_TRUE(Eventually(kPatience, [&] { return Said("\"policy of pods\"") > before; }));
  }
  size_t Said(const std::string& what) {
    std::stringstream log;
    log << std::ifstream(node().directory() + "/log").rdbuf();
    std::vector<std::string> parts = absl::StrSplit(log.str(), what.substr(1, what.size() - 2));
    return parts.size() - 1;
  }

  cri::RunPodSandboxRequest ModestPod(const std::string& name) {
    cri::RunPodSandboxRequest request = NetworkedPod(name);
    std::filesystem::create_directories(VolumeOf(request.config().metadata().uid()));
    return request;
  }
  std::string VolumeOf(const std::string& uid) const {
    return absl::StrCat(dir_, "/kubelet/pods/", uid, "/volumes/data");
  }
  // What kubelet asks for a container that keeps to the restricted standard.
  cri::CreateContainerRequest Modest(const std::string& pod, const std::string& name,
                                     std::vector<std::string> command) {
    cri::CreateContainerRequest request = ContainerRequest(pod, name, std::move(command));
    auto& context = *request.mutable_config()->mutable_linux()->mutable_security_context();
    context.mutable_run_as_user()->set_value(1000);
    context.set_no_new_privs(true);
    context.mutable_capabilities()->add_drop_capabilities("ALL");
    context.mutable_seccomp()->set_profile_type(cri::SecurityProfile::RuntimeDefault);
    for (const char* path : kMasked) context.add_masked_paths(path);
    for (const char* path : kReadonly) context.add_readonly_paths(path);
    return request;
  }
  static void ExpectRefused(const absl::Status& status, const std::string& field,
                            const std::string& rule) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << rule << " " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("refused by the node's policy, ", rule)));
  }
  void ExpectPodRefused(const std::string& field, const std::string& rule,
                        const std::function<void(cri::PodSandboxConfig*)>& change) {
    cri::RunPodSandboxRequest request = ModestPod("refused");
    change(request.mutable_config());
    ExpectRefused(RunPod(request).status(), field, rule);
  }
  void ExpectContainerRefused(const std::string& pod, const std::string& field,
                              const std::string& rule,
                              const std::function<void(Container*)>& change) {
    cri::CreateContainerRequest request = Modest(pod, "refused", {"/bin/true"});
    change(request.mutable_config());
    ExpectRefused(Create(request).status(), field, rule);
  }
  // The container's listed under the pod.
  size_t Containers() {
    auto list = cri().Call(&Runtime::ListContainers, cri::ListContainersRequest(), kPatience);
    return list.ok() ? list->containers_size() : 99;
  }
  std::vector<json> Records(const std::string& operation) {
    Output shown = node().Bulkhead({"audit", "show", "--json"});
    EXPECT_EQ(shown.code, 0) << shown.err;
    std::vector<json> records;
    std::istringstream lines(shown.out);
    for (std::string line; std::getline(lines, line);) {
      json record = json::parse(line, nullptr, false);
      if (record["operation"] == operation) records.push_back(std::move(record));
    }
    return records;
  }
  std::string Hash() {
    const Output shown = node().Bulkhead({"policy", "show"});
    EXPECT_EQ(shown.code, 0) << shown.err;
    return shown.out.substr(0, shown.out.find('\n')).substr(sizeof("# sha256 ") - 1);
  }

  std::string dir_;
};

auto& Context(Container* config) { return *config->mutable_linux()->mutable_security_context(); }

void AddMount(Container* config, const std::string& path, bool read_only = true) {
  cri::Mount* mount = config->add_mounts();
  mount->set_host_path(path);
  mount->set_container_path("/mnt");
  mount->set_readonly(read_only);
}

TEST_F(Policy, ARestrictedPodRunsWithItsOwnVolume) {
  cri::RunPodSandboxRequest pod_request = ModestPod("pod");
  const std::string uid = pod_request.config().metadata().uid();
  auto pod = RunPod(pod_request);
  ASSERT_THAT(pod, IsOk());
  std::ofstream(VolumeOf(uid) + "/file") << "of the pod";
  cri::CreateContainerRequest request =
      Modest(*pod, "main", {"/bin/sh", "-c", "cat /mnt/file; id -u"});
  AddMount(request.mutable_config(), VolumeOf(uid), false);
  auto output = OutputOf(request);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "of the pod1000\n");
  cri::CreateContainerRequest sleeping = Modest(*pod, "sleeper", {"/bin/sleep", "1000"});
  auto sleeper = Create(sleeping);
  ASSERT_THAT(sleeper, IsOk());
  ASSERT_THAT(Start(*sleeper), IsOk());
  auto exec = Exec(*sleeper, {"/bin/echo", "hello"});
  ASSERT_THAT(exec, IsOk());
  EXPECT_EQ(exec->stdout(), "hello\n");
  RemoveAll();
}

TEST_F(Policy, RestrictedRefusesPods) {
  constexpr char kOptions[] = "config.linux.security_context.namespace_options.";
  const auto options = [](cri::PodSandboxConfig * config) -> auto& {
    return *config->mutable_linux()->mutable_security_context()->mutable_namespace_options();
  };
  ExpectPodRefused(absl::StrCat(kOptions, "network"), "pods.host_network",
                   [&](auto* config) { options(config).set_network(cri::NODE); });
  ExpectPodRefused(absl::StrCat(kOptions, "pid"), "pods.host_pid",
                   [&](auto* config) { options(config).set_pid(cri::NODE); });
  ExpectPodRefused(absl::StrCat(kOptions, "ipc"), "pods.host_ipc",
                   [&](auto* config) { options(config).set_ipc(cri::NODE); });
  ExpectPodRefused("config.linux.sysctls[net.core.somaxconn]", "pods.sysctls", [](auto* config) {
    (*config->mutable_linux()->mutable_sysctls())["net.core.somaxconn"] = "128";
  });
  ExpectPodRefused("config.port_mappings", "pods.host_ports", [](auto* config) {
    config->add_port_mappings()->set_host_port(8080);
    config->mutable_port_mappings(0)->set_container_port(80);
  });
  ExpectPodRefused("config.linux.security_context.privileged", "pods.privileged", [](auto* config) {
    config->mutable_linux()->mutable_security_context()->set_privileged(true);
  });
  ExpectPodRefused("config.log_directory", "pods.log_dirs",
                   [](auto* config) { config->set_log_directory("/etc/cron.d"); });
  auto list = cri().Call(&Runtime::ListPodSandbox, cri::ListPodSandboxRequest(), kPatience);
  EXPECT_EQ(list->items_size(), 0);
}

TEST_F(Policy, RestrictedRefusesContainers) {
  auto pod = RunPod(ModestPod("pod"));
  ASSERT_THAT(pod, IsOk());
  cri::RunPodSandboxRequest other = ModestPod("other");
  constexpr char kBase[] = "config.linux.security_context.";
  const auto refused = [&](const std::string& field, const std::string& rule,
                           const std::function<void(Container*)>& change) {
    ExpectContainerRefused(*pod, field, absl::StrCat("pods.", rule), change);
  };
  const auto context = [&](const std::string& field, const std::string& rule, auto change) {
    refused(kBase + field, rule, [change](Container* config) { change(Context(config)); });
  };
  context("privileged", "privileged", [](auto& c) { c.set_privileged(true); });
  context("capabilities", "capabilities",
          [](auto& c) { c.mutable_capabilities()->add_add_capabilities("SYS_ADMIN"); });
  context("capabilities", "capabilities", [](auto& c) { c.clear_capabilities(); });
  context("no_new_privs", "privilege_escalation", [](auto& c) { c.set_no_new_privs(false); });
  context("run_as_user", "run_as_root", [](auto& c) { c.mutable_run_as_user()->set_value(0); });
  // What the image says is known only when its files are there; they are taken back.
  context("run_as_user", "run_as_root", [](auto& c) { c.clear_run_as_user(); });
  context("seccomp", "seccomp_unconfined", [](auto& c) { c.clear_seccomp(); });
  context("masked_paths", "unmasked_proc", [](auto& c) { c.clear_masked_paths(); });
  refused("config.devices: /dev/kmsg", "devices", [](Container* config) {
    cri::Device* device = config->add_devices();
    device->set_host_path("/dev/kmsg");
    device->set_container_path("/dev/kmsg");
    device->set_permissions("r");
  });
  refused("config.CDI_devices: example.com/gpu=0", "cdi",
          [](Container* config) { config->add_cdi_devices()->set_name("example.com/gpu=0"); });
  refused("config.mounts[0].host_path: /etc", "host_paths",
          [](Container* config) { AddMount(config, "/etc"); });
  refused("config.mounts[0].host_path", "host_paths",
          [&](Container* config) { AddMount(config, VolumeOf(other.config().metadata().uid())); });
  EXPECT_EQ(Containers(), 0u);
  RemoveAll();
}

TEST_F(Policy, BaselineGrantsWhatIsUsual) {
  Adopt("[pods]\nprofile = \"baseline\"\nmemory_max = 67108864\n" + Places());
  auto pod = RunPod(ModestPod("pod"));
  ASSERT_THAT(pod, IsOk());
  cri::CreateContainerRequest request = Modest(*pod, "main", {"/bin/sleep", "1000"});
  auto& context = Context(request.mutable_config());
  context.clear_capabilities();
  context.clear_run_as_user();
  context.set_no_new_privs(false);
  ExpectRefused(Create(request).status(), "config.linux.resources.memory_limit_in_bytes: no limit",
                "pods.memory_max");
  request.mutable_config()->mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(64
                                                                                            << 20);
  auto container = Create(request);
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  cri::UpdateContainerResourcesRequest update;
  update.set_container_id(*container);
  update.mutable_linux()->set_memory_limit_in_bytes((64 << 20) + 4096);
  ExpectRefused(cri().Call(&Runtime::UpdateContainerResources, update, kPatience).status(),
                "memory_limit_in_bytes", "pods.memory_max");
  update.mutable_linux()->set_memory_limit_in_bytes(48 << 20);
  EXPECT_THAT(cri().Call(&Runtime::UpdateContainerResources, update, kPatience), IsOk());
  ExpectContainerRefused(*pod, "privileged", "pods.privileged",
                         [](Container* config) { Context(config).set_privileged(true); });
  RemoveAll();
}

TEST_F(Policy, ASectionForANamespaceWidensUnlessItIsNotTrusted) {
  const std::string section = "[pods.namespace.kube-system]\nprofile = \"compatible\"\n";
  Adopt("[pods]\nprofile = \"restricted\"\n" + Places() + section);
  const auto run = [&](const std::string& name) {
    cri::RunPodSandboxRequest request = PodRequest("system");
    request.mutable_config()->mutable_metadata()->set_namespace_(name);
    return RunPod(request);
  };
  auto pod = run("kube-system");
  ASSERT_THAT(pod, IsOk());
  EXPECT_THAT(OutputOf(ContainerRequest(*pod, "main", {"/bin/true"})), IsOk());
  ExpectRefused(run("default").status(), "network", "pods.host_network");
  RemoveAll();
  Adopt("[pods]\nprofile = \"restricted\"\nnamespaces_trusted = false\n" + Places() + section);
  ExpectRefused(run("kube-system").status(), "network", "pods.host_network");
}

TEST_F(Policy, StreamsAreRefusedAndGrantedAgain) {
  auto pod = RunPod(ModestPod("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(Modest(*pod, "main", {"/bin/sleep", "1000"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  const std::string before = Hash();
  Adopt("[pods]\nprofile = \"restricted\"\nexec = false\nattach = false\nport_forward = false\n" +
        Places());
  ExpectRefused(Exec(*container, {"/bin/true"}).status(), "exec", "pods.exec");
  cri::ExecRequest exec;
  exec.set_container_id(*container);
  exec.add_cmd("/bin/true");
  exec.set_stdout(true);
  ExpectRefused(cri().Call(&Runtime::Exec, exec, kPatience).status(), "exec", "pods.exec");
  cri::AttachRequest attach;
  attach.set_container_id(*container);
  attach.set_stdout(true);
  ExpectRefused(cri().Call(&Runtime::Attach, attach, kPatience).status(), "attach", "pods.attach");
  cri::PortForwardRequest forward;
  forward.set_pod_sandbox_id(*pod);
  ExpectRefused(cri().Call(&Runtime::PortForward, forward, kPatience).status(), "port_forward",
                "pods.port_forward");

  const json refusal = Records("ExecSync").back();
  EXPECT_EQ(refusal["phase"], "result");
  EXPECT_EQ(refusal["rule"], "pods.exec");
  EXPECT_EQ(refusal["policyHash"], Hash());
  const std::vector<json> changes = Records("PolicyChange");
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0]["policyHash"], Hash());
  EXPECT_THAT(changes[0]["message"].get<std::string>(), HasSubstr(before));
  EXPECT_EQ(Records("RunPodSandbox").back()["policyHash"], before);

  Adopt("[pods]\nprofile = \"restricted\"\n" + Places());
  EXPECT_THAT(Exec(*container, {"/bin/true"}), IsOk());
  RemoveAll();
}

TEST_F(Policy, ABrokenFileChangesNothing) {
  const std::string loose = "[pods]\nprofile = \"compatible\"\n";
  const std::string refused = "\"policy not loaded anew\"";
  Write(loose + "nonsense = 1\n");
  Reload(refused);
  EXPECT_THAT(node().Log(), HasSubstr("pods.nonsense"));
  Write(loose, 0666);
  Reload(refused);
  EXPECT_THAT(node().Log(), HasSubstr("others than its owner may write it"));
  std::filesystem::remove(dir_ + "/policy.toml");
  Reload(refused);
  ExpectPodRefused("network", "pods.host_network", [](auto* config) {
    config->mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(
        cri::NODE);
  });
  // A broker that is started anew has the last good one as well.
  ASSERT_EQ(kill(node().Daemon("broker"), SIGKILL), 0);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return RunPod(PodRequest("refused")).status().code() == absl::StatusCode::kPermissionDenied;
  }));
  Write("[pods]\nprofile = \"restricted\"\n" + Places());
  TakeBaseline();
}

TEST_F(Policy, ABrokenOrMissingFileKeepsTheNodeFromStarting) {
  ASSERT_THAT(node().Down(), IsOk());
  Write("[pods]\nprofile = \"strict\"\n");
  EXPECT_FALSE(node().Up().ok());
  EXPECT_THAT(node().Log(), HasSubstr("pods.profile"));
  std::filesystem::remove(dir_ + "/policy.toml");
  EXPECT_FALSE(node().Up().ok());
  Write("[pods]\nprofile = \"restricted\"\n" + Places());
  ASSERT_THAT(node().Up(), IsOk());
  TakeBaseline();
}

// What a broker lets pass that somebody has taken over: here it only does not know yet.
TEST_F(Policy, WorkersRefuseWhateverTheBrokerThinks) {
  Adopt("[pods]\nprofile = \"compatible\"\n");
  auto pod = RunPod(ModestPod("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/bin/sleep", "1000"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  security::PodPolicies narrow = {.node = *security::PodProfile("baseline")};
  narrow.node.log_dirs = {"/tmp"};
  narrow.node.seccomp_unconfined = narrow.node.unmasked_proc = true;
  narrow.node.exec = false;
  narrow.programs = {{"crun", "/usr/bin/crun"}};
  const std::string file = absl::StrCat(node().run_dir(), "/", security::kPodPolicyFile);
  std::ofstream(file) << *security::EncodePodPolicies(narrow);
  const auto refused = [&](const std::string& rule, const std::function<void(Container*)>& change) {
    cri::CreateContainerRequest request = ContainerRequest(*pod, "refused", {"/bin/true"});
    change(request.mutable_config());
    ExpectRefused(Create(request).status(), "config.", "pods." + rule);
  };
  refused("host_paths", [](Container* config) { AddMount(config, "/etc"); });
  refused("privileged", [](Container* config) { Context(config).set_privileged(true); });
  refused("capabilities", [](Container* config) {
    Context(config).mutable_capabilities()->add_add_capabilities("SYS_ADMIN");
  });
  ExpectRefused(Exec(*container, {"/bin/true"}).status(), "exec", "pods.exec");
  EXPECT_EQ(Containers(), 1u);
  Adopt("[pods]\nprofile = \"compatible\"\n# again\n");
  EXPECT_THAT(Exec(*container, {"/bin/true"}), IsOk());
  RemoveAll();
}

TEST_F(Policy, IsShownAndExplained) {
  Output shown = node().Bulkhead({"policy", "show"});
  EXPECT_THAT(shown.out, HasSubstr("profile = \"restricted\""));
  EXPECT_THAT(shown.out, HasSubstr("capabilities = [\"NET_BIND_SERVICE\"]"));
  const std::string file = dir_ + "/pod.json";
  std::ofstream(file) << R"({"kind": "Pod", "spec": {"containers": [
      {"name": "main", "securityContext": {"privileged": true}}]}})";
  chmod(file.c_str(), 0600);
  Output explained = node().Bulkhead({"policy", "explain", file});
  EXPECT_EQ(explained.code, 1) << explained.err;
  EXPECT_THAT(explained.out, HasSubstr("spec.containers[0] (main): "));
  EXPECT_THAT(explained.out, HasSubstr("pods.privileged"));
  std::ofstream(file) << R"({"kind": "Pod", "spec": {"containers": [{"name": "main",
      "securityContext": {"runAsUser": 1, "allowPrivilegeEscalation": false,
        "seccompProfile": {"type": "RuntimeDefault"}, "capabilities": {"drop": ["ALL"]}}}]}})";
  explained = node().Bulkhead({"policy", "explain", file});
  EXPECT_EQ(explained.code, 0) << explained.out << explained.err;
  std::ofstream(file) << "no manifest";
  EXPECT_EQ(node().Bulkhead({"policy", "explain", file}).code, 2);
  EXPECT_EQ(node().Bulkhead({"policy", "explain", dir_ + "/none"}).code, 2);
}

}  // namespace
}  // namespace bulkhead::test
