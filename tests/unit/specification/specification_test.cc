// Requests of many kinds and the config.json that each becomes: plain.json for an ordinary one, and
// in changes.json what each other request changes of it, as a JSON patch (RFC 6902).
// BULKHEAD_UPDATE_GOLDEN=1 writes both, for review.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "broker/plan/container_spec.h"
#include "broker/plan/pod_cgroup.h"
#include "broker/state/record.h"
#include "frontend/cri/convert.h"
#include "worker/container/config.h"

namespace bulkhead {
namespace {

using nlohmann::json;
namespace v1 = ::runtime::v1;

const std::string kContainerId(64, 'c');
const std::string kPodId(64, 'a');

// All that a specification is made of.
struct Request {
  v1::ContainerConfig config;
  v1::PodSandboxConfig pod;
  broker::Record<schema::ImageConfig> image;
  broker::Record<schema::UserIds> user;
  broker::Record<schema::Config> node;
  broker::Record<schema::CdiEdits> cdi;
  broker::Record<schema::SeccompFilter> seccomp;
  std::vector<std::string> own_volumes;
  container::Facts facts;

  v1::LinuxContainerSecurityContext* security() {
    return config.mutable_linux()->mutable_security_context();
  }
  v1::LinuxContainerResources* resources() { return config.mutable_linux()->mutable_resources(); }
  v1::NamespaceOption* namespaces() { return security()->mutable_namespace_options(); }
  v1::NamespaceOption* pod_namespaces() {
    return pod.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  }
  v1::Mount* AddMount(const char* inside, const char* outside) {
    v1::Mount* mount = config.add_mounts();
    mount->set_container_path(inside);
    mount->set_host_path(outside);
    return mount;
  }
  void AddEnv(const char* key, const char* value) {
    v1::KeyValue* env = config.add_envs();
    env->set_key(key);
    env->set_value(value);
  }
};

// As kubelet asks for a container of an ordinary pod.
Request Plain() {
  Request request;
  request.pod.mutable_metadata()->set_name("web");
  request.pod.mutable_metadata()->set_namespace_("default");
  request.pod.mutable_metadata()->set_uid("u1");
  request.pod.set_hostname("web");
  request.pod.set_log_directory("/var/log/pods/web");
  request.pod.mutable_linux()->set_cgroup_parent("/kubepods/podu1");
  request.config.mutable_metadata()->set_name("app");
  request.config.mutable_image()->set_image("docker.io/library/app:1");
  request.config.set_log_path("app/0.log");
  request.namespaces()->set_pid(v1::CONTAINER);
  request.security()->mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
  request.security()->add_masked_paths("/proc/kcore");
  request.security()->add_readonly_paths("/proc/sys");
  request.resources()->set_cpu_shares(512);
  request.resources()->set_memory_limit_in_bytes(64 << 20);
  request.resources()->set_oom_score_adj(937);
  request.node.edit().getHost().setHostname("node");
  request.image.edit().initEntrypoint(1).set(0, "/app");
  request.image.edit().initCmd(1).set(0, "--serve");
  request.user.edit().initAdditionalGids(1);
  request.facts = {.container_id = kContainerId,
                   .bundle = "/root/crun/pod/container",
                   .pod_directory = "/run/pods/pod",
                   .cgroup_v2 = true,
                   .has_hugetlb = true,
                   .has_swap_limit = true,
                   .has_resolv_conf = true,
                   .has_hostname = true,
                   .volumes = 8,
                   .target_pid = 4711};
  return request;
}

using Change = std::function<void(Request&)>;
struct Case {
  const char* name;
  Change change;
};

const Case kCases[] = {
    {"arguments replace the image's",
     [](Request& r) {
       r.config.add_args("--other");
       r.config.add_args("");
     }},
    {"a command replaces the image's both", [](Request& r) { r.config.add_command("/bin/sh"); }},
    {"environment: later wins, the image's first",
     [](Request& r) {
       auto env = r.image.edit().initEnv(2);
       env[0].setKey("PATH");
       env[0].setValue(kj::StringPtr("/image").asBytes());
       env[1].setKey("A");
       env[1].setValue(kj::StringPtr("image").asBytes());
       r.AddEnv("B", "first");
       r.AddEnv("A", "pod=\"x\"\n\t\xc3\xa9");
       r.AddEnv("B", "second");
       r.AddEnv("EMPTY", "");
     }},
    {"working directory of the image", [](Request& r) { r.image.edit().setWorkingDir("/srv"); }},
    {"working directory of the request",
     [](Request& r) {
       r.image.edit().setWorkingDir("/srv");
       r.config.set_working_dir("/data//x/");
     }},
    {"a terminal", [](Request& r) { r.config.set_tty(true); }},
    {"user and groups",
     [](Request& r) {
       r.user.edit().setUid(1000);
       r.user.edit().setGid(1001);
       auto gids = r.user.edit().initAdditionalGids(2);
       gids.set(0, 1001);
       gids.set(1, 5000);
     }},
    {"capabilities: all dropped, one added",
     [](Request& r) {
       r.security()->mutable_capabilities()->add_drop_capabilities("ALL");
       r.security()->mutable_capabilities()->add_add_capabilities("NET_BIND_SERVICE");
     }},
    {"capabilities: an ambient one for a user",
     [](Request& r) {
       r.user.edit().setUid(1000);
       r.security()->mutable_capabilities()->add_drop_capabilities("ALL");
       r.security()->mutable_capabilities()->add_add_ambient_capabilities("NET_RAW");
     }},
    {"no new privileges", [](Request& r) { r.security()->set_no_new_privs(true); }},
    {"read-only root", [](Request& r) { r.security()->set_readonly_rootfs(true); }},
    {"privileged",
     [](Request& r) {
       r.security()->set_privileged(true);
       r.facts.devices = {
           {.path = "/dev/sda", .type = 'b', .major = 8, .mode = 0660, .access = "rwm"}};
     }},
    {"nothing masked",
     [](Request& r) {
       r.security()->clear_masked_paths();
       r.security()->clear_readonly_paths();
     }},
    {"network of the node",
     [](Request& r) {
       r.pod_namespaces()->set_network(v1::NODE);
       r.namespaces()->set_network(v1::NODE);
     }},
    {"processes of the node",
     [](Request& r) {
       r.pod_namespaces()->set_pid(v1::NODE);
       r.namespaces()->set_pid(v1::NODE);
     }},
    {"processes of the pod", [](Request& r) { r.namespaces()->set_pid(v1::POD); }},
    {"processes of another container",
     [](Request& r) {
       r.namespaces()->set_pid(v1::TARGET);
       r.namespaces()->set_target_id(std::string(64, 'd'));
     }},
    {"IPC of the node",
     [](Request& r) {
       r.pod_namespaces()->set_ipc(v1::NODE);
       r.namespaces()->set_ipc(v1::NODE);
     }},
    {"every resource",
     [](Request& r) {
       r.resources()->set_cpu_period(100000);
       r.resources()->set_cpu_quota(50000);
       r.resources()->set_cpuset_cpus("0-1");
       r.resources()->set_cpuset_mems("0");
       r.resources()->set_memory_swap_limit_in_bytes(128 << 20);
       r.resources()->set_oom_score_adj(-5);
       auto* pages = r.resources()->add_hugepage_limits();
       pages->set_page_size("2MB");
       pages->set_limit(4 << 20);
       (*r.resources()->mutable_unified())["memory.high"] = "1000000";
     }},
    {"cgroup v1: no cgroup namespace, no unified",
     [](Request& r) {
       (*r.resources()->mutable_unified())["memory.high"] = "1000000";
       r.facts.cgroup_v2 = false;
     }},
    {"volumes, deepest last",
     [](Request& r) {
       r.AddMount("/data/deep/er", "/host/a")->set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER);
       r.AddMount("/data", "/host/b")->set_readonly(true);
       v1::Mount* strict = r.AddMount("/strict", "/host/c");
       strict->set_readonly(true);
       strict->set_recursive_read_only(true);
       strict->add_mount_options("noexec");
       strict->add_mount_options("noatime");
     }},
    {"a volume that is shared both ways",
     [](Request& r) {
       r.AddMount("/data", "/host/a")->set_propagation(v1::PROPAGATION_BIDIRECTIONAL);
     }},
    {"files that kubelet makes",
     [](Request& r) {
       r.AddMount("/etc/hosts", "/kubelet/hosts");
       r.AddMount("/dev/termination-log", "/kubelet/termination");
       r.AddMount("/etc/resolv.conf", "/kubelet/resolv.conf")->set_readonly(true);
     }},
    {"shared memory of the request", [](Request& r) { r.AddMount("/dev/shm", "/host/shm"); }},
    {"an image's files, and volumes of the image's own",
     [](Request& r) {
       v1::Mount* mount = r.config.add_mounts();
       mount->set_container_path("/models");
       mount->set_readonly(true);
       mount->mutable_image()->set_image("docker.io/library/models:1");
       r.own_volumes = {"/var/lib/db"};
     }},
    {"devices",
     [](Request& r) {
       v1::Device* device = r.config.add_devices();
       device->set_host_path("/dev/fuse");
       device->set_container_path("/dev/fuse");
       device->set_permissions("rw");
       r.facts.devices = {{.path = "/dev/fuse",
                           .type = 'c',
                           .major = 10,
                           .minor = 229,
                           .mode = 0660,
                           .uid = 1,
                           .gid = 2,
                           .access = "rw"}};
     }},
    {"CDI: environment, mount, group and hook",
     [](Request& r) {
       auto env = r.cdi.edit().initEnv(1);
       env[0].setKey("GPU");
       env[0].setValue(kj::StringPtr("0").asBytes());
       auto mounts = r.cdi.edit().initMounts(1);
       mounts[0].setHostPath("/opt/vendor");
       mounts[0].setContainerPath("/opt/vendor");
       mounts[0].setReadonly(true);
       r.cdi.edit().initAdditionalGids(1).set(0, 44);
       auto hooks = r.cdi.edit().initHooks(1);
       hooks[0].setPath("/usr/bin/vendor-hook");
       hooks[0].initArgs(2).set(0, "vendor-hook");
       hooks[0].getArgs().set(1, "update");
       hooks[0].setPoint(schema::CdiEdits::Hook::Point::CREATE_CONTAINER);
       hooks[0].setTimeoutSeconds(5);
     }},
    {"a seccomp profile of the node",
     [](Request& r) {
       r.security()->mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
       r.security()->mutable_seccomp()->set_localhost_ref("/var/lib/kubelet/seccomp/a.json");
       auto filter = r.seccomp.edit();
       filter.setDefaultAction(schema::SeccompFilter::Action::ALLOW);
       filter.initArchitectures(1).set(0, "SCMP_ARCH_X86_64");
       auto rule = filter.initRules(1)[0];
       rule.initNames(1).set(0, "chmod");
       rule.setAction(schema::SeccompFilter::Action::ERRNO);
       rule.setHasErrno(true);
       rule.setErrno(1);
       auto arg = rule.initArgs(1)[0];
       arg.setIndex(1);
       arg.setValue(0777);
       arg.setOp(schema::SeccompFilter::Compare::MASKED_EQUAL);
     }},
    {"nothing of annotations and labels",
     [](Request& r) {
       (*r.config.mutable_annotations())["run.oci.handler"] = "krun";
       (*r.config.mutable_labels())["run.oci.hooks.stdout"] = "/x";
       (*r.pod.mutable_annotations())["org.systemd.property.X"] = "y";
     }},
    {"cgroups of systemd",
     [](Request& r) {
       r.pod.mutable_linux()->set_cgroup_parent("kubepods-podu1.slice");
       r.node.edit().getHost().setCgroupDriver(schema::Host::CgroupDriver::SYSTEMD);
     }},
};

absl::StatusOr<json> Specify(Request& request) {
  capnp::MallocMessageBuilder pod_message, config_message, spec_message;
  auto pod = pod_message.initRoot<schema::Pod>();
  auto config = config_message.initRoot<schema::ContainerConfig>();
  frontend::StoreNames names = {.image = request.config.image().image()};
  for (int i = 0; i < request.config.mounts_size(); ++i) {
    names.mounts[i] = request.config.mounts(i).image().image();
  }
  absl::Status status = frontend::ToPodConfig(request.pod, "", pod.initConfig());
  if (!status.ok()) return status;
  status = frontend::ToContainerConfig(request.config, names, config);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> cgroup =
      broker::PlanPodCgroup(request.node.read(), pod.getConfig(), kPodId);
  if (!cgroup.ok()) return cgroup.status();
  pod.setCgroup(*cgroup);
  auto spec = spec_message.initRoot<schema::ContainerSpec>();
  if (request.namespaces()->pid() == v1::POD) pod.getConfig().setPid(schema::NamespaceMode::POD);
  status = broker::PlanContainer({.container_id = kContainerId,
                                  .pod = pod,
                                  .config = config,
                                  .image = request.image.read(),
                                  .user = request.user.read(),
                                  .node = request.node.read(),
                                  .cdi = request.cdi.read(),
                                  .seccomp = request.seccomp.read(),
                                  .own_volumes = request.own_volumes},
                                 spec);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> text = container::ConfigJson(spec, request.facts);
  if (!text.ok()) return text.status();
  return json::parse(*text, nullptr, false);
}

json Must(const Change& change) {
  Request request = Plain();
  change(request);
  absl::StatusOr<json> specification = Specify(request);
  EXPECT_TRUE(specification.ok()) << specification.status();
  return specification.value_or(json());
}

json Golden(const char* name, const json& now) {
  const std::string path = absl::StrCat(BULKHEAD_TESTDATA, "/", name, ".json");
  if (getenv("BULKHEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << now.dump(1) << "\n";
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return json::parse(text.str(), nullptr, false);
}

TEST(Specification, OfAnOrdinaryRequest) {
  const json plain = Must([](Request&) {});
  EXPECT_EQ(plain, Golden("plain", plain)) << plain.dump(1);
}

TEST(Specification, WhatEachRequestChanges) {
  const json plain = Must([](Request&) {});
  json changes = json::object();
  for (const Case& one : kCases) changes[one.name] = json::diff(plain, Must(one.change));
  const json golden = Golden("changes", changes);
  for (const Case& one : kCases) {
    EXPECT_EQ(changes[one.name], golden.value(one.name, json())) << one.name;
  }
  EXPECT_EQ(changes.size(), golden.size());
}

// The objects of runtime-spec 1.0.2 and their members; "*" takes any. What is written and not named
// there would be ignored by a runtime, or be refused by a stricter one.
const std::map<std::string, std::set<std::string>> kSpec = {
    {"", {"ociVersion", "process", "root", "hostname", "mounts", "hooks", "linux", "annotations"}},
    {"/annotations", {"run.oci.systemd.subgroup"}},
    {"/process",
     {"terminal", "user", "args", "env", "cwd", "capabilities", "noNewPrivileges", "oomScoreAdj",
      "rlimits"}},
    {"/process/user", {"uid", "gid", "additionalGids"}},
    {"/process/capabilities", {"bounding", "effective", "inheritable", "permitted", "ambient"}},
    {"/root", {"path", "readonly"}},
    {"/mounts/#", {"destination", "type", "source", "options"}},
    {"/hooks",
     {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
    {"/hooks/createContainer/#", {"path", "args", "env", "timeout"}},
    {"/linux",
     {"namespaces", "devices", "cgroupsPath", "resources", "rootfsPropagation", "seccomp",
      "maskedPaths", "readonlyPaths"}},
    {"/linux/namespaces/#", {"type", "path"}},
    {"/linux/devices/#", {"type", "path", "major", "minor", "fileMode", "uid", "gid"}},
    {"/linux/resources", {"devices", "memory", "cpu", "hugepageLimits", "unified"}},
    {"/linux/resources/devices/#", {"allow", "type", "major", "minor", "access"}},
    {"/linux/resources/memory", {"limit", "swap"}},
    {"/linux/resources/cpu", {"shares", "quota", "period", "cpus", "mems"}},
    {"/linux/resources/hugepageLimits/#", {"pageSize", "limit"}},
    {"/linux/resources/unified", {"*"}},
    {"/linux/seccomp", {"defaultAction", "defaultErrnoRet", "architectures", "flags", "syscalls"}},
    {"/linux/seccomp/syscalls/#", {"names", "action", "errnoRet", "args"}},
    {"/linux/seccomp/syscalls/#/args/#", {"index", "value", "valueTwo", "op"}},
};

void CheckMembers(const json& value, const std::string& path) {
  if (value.is_array()) {
    for (const json& element : value) CheckMembers(element, path + "/#");
    return;
  }
  if (!value.is_object()) return;
  auto known = kSpec.find(path);
  ASSERT_NE(known, kSpec.end()) << "an object at " << path;
  for (const auto& [key, member] : value.items()) {
    EXPECT_TRUE(known->second.contains(key) || known->second.contains("*")) << path << "/" << key;
    CheckMembers(member, path + "/" + key);
  }
}

TEST(Specification, HoldsOnlyWhatTheRuntimeSpecHas) {
  for (const Case& one : kCases) CheckMembers(Must(one.change), "");
  CheckMembers(
      Must([](Request& r) {
        r.security()->mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
      }),
      "");
}

TEST(Specification, EveryPathIsAbsoluteAndEveryNumberInRange) {
  for (const Case& one : kCases) {
    const json spec = Must(one.change);
    EXPECT_EQ(spec["ociVersion"], "1.0.2");
    EXPECT_EQ(spec["process"]["cwd"].get<std::string>()[0], '/') << one.name;
    EXPECT_FALSE(spec["process"]["args"].empty());
    for (const json& mount : spec["mounts"]) {
      EXPECT_EQ(mount["destination"].get<std::string>()[0], '/') << one.name;
    }
    const int score = spec["process"]["oomScoreAdj"];
    EXPECT_TRUE(score >= -1000 && score <= 1000) << one.name;
    std::set<std::string> types;
    for (const json& space : spec["linux"]["namespaces"]) {
      EXPECT_TRUE(types.insert(space["type"]).second) << one.name << ": a namespace twice";
    }
    EXPECT_TRUE(types.contains("mount")) << one.name;
  }
}

}  // namespace
}  // namespace bulkhead
