#include "frontend/cri/convert.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/image_name.h"
#include "frontend/cri/unknown_fields.h"

namespace bulkhead::frontend {
namespace {

constexpr char kImage[] = "docker.io/library/busybox:1";
const std::string kId(64, 'a');

v1::PodSandboxConfig GoodPod() {
  v1::PodSandboxConfig config;
  config.mutable_metadata()->set_name("web");
  config.mutable_metadata()->set_namespace_("default");
  config.mutable_metadata()->set_uid("u1");
  config.mutable_metadata()->set_attempt(3);
  config.set_hostname("web");
  config.set_log_directory("/var/log//pods/web/");
  config.mutable_dns_config()->add_servers("10.0.0.10");
  config.mutable_dns_config()->add_searches("cluster.local");
  config.mutable_dns_config()->add_options("ndots:5");
  v1::PortMapping* port = config.add_port_mappings();
  port->set_protocol(v1::UDP);
  port->set_container_port(53);
  port->set_host_port(5353);
  port->set_host_ip("127.0.0.1");
  (*config.mutable_labels())["b"] = "2";
  (*config.mutable_labels())["a"] = "1";
  (*config.mutable_annotations())["note"] = "x\ny";
  config.mutable_linux()->set_cgroup_parent("/kubepods/pod1/");
  (*config.mutable_linux()->mutable_sysctls())["kernel.shm_rmid_forced"] = "1";
  v1::LinuxSandboxSecurityContext* security = config.mutable_linux()->mutable_security_context();
  security->set_privileged(true);
  security->mutable_namespace_options()->set_network(v1::NODE);
  security->mutable_namespace_options()->set_pid(v1::CONTAINER);
  security->mutable_apparmor()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  config.mutable_linux()->mutable_resources()->set_cpu_shares(2);
  return config;
}

v1::ContainerConfig GoodContainer() {
  v1::ContainerConfig config;
  config.mutable_metadata()->set_name("app");
  config.mutable_metadata()->set_attempt(2);
  config.mutable_image()->set_image("busybox:1");
  config.mutable_image()->set_user_specified_image("busybox:1");
  config.add_command("/bin/sh");
  config.add_args("-c");
  config.add_args("");
  config.set_working_dir("/srv/");
  v1::KeyValue* env = config.add_envs();
  env->set_key("K");
  env->set_value("\xff\n");
  v1::Mount* mount = config.add_mounts();
  mount->set_container_path("/data/");
  mount->set_host_path("/mnt//data");
  mount->set_readonly(true);
  mount->set_recursive_read_only(true);
  mount->set_selinux_relabel(true);
  v1::Device* device = config.add_devices();
  device->set_container_path("/dev/x");
  device->set_host_path("/dev/null");
  device->set_permissions("mrw");
  (*config.mutable_labels())["app"] = "web";
  (*config.mutable_annotations())["note"] = "y";
  config.set_log_path("app/0.log");
  config.set_stdin(true);
  config.set_stdin_once(true);
  config.set_tty(true);
  config.set_stop_signal(v1::SIGNAL_SIGUSR1);
  v1::LinuxContainerResources* resources = config.mutable_linux()->mutable_resources();
  resources->set_cpu_period(100000);
  resources->set_cpu_quota(-1);
  resources->set_cpu_shares(512);
  resources->set_memory_limit_in_bytes(1 << 20);
  resources->set_oom_score_adj(-998);
  resources->set_cpuset_cpus("0-1");
  resources->set_cpuset_mems("0");
  resources->set_memory_swap_limit_in_bytes(2 << 20);
  v1::HugepageLimit* pages = resources->add_hugepage_limits();
  pages->set_page_size("2MB");
  pages->set_limit(7);
  (*resources->mutable_unified())["memory.high"] = "1";
  v1::LinuxContainerSecurityContext* security = config.mutable_linux()->mutable_security_context();
  security->mutable_capabilities()->add_add_capabilities("NET_ADMIN");
  security->mutable_capabilities()->add_drop_capabilities("cap_chown");
  security->mutable_capabilities()->add_drop_capabilities("ALL");
  security->mutable_namespace_options()->set_pid(v1::TARGET);
  security->mutable_namespace_options()->set_target_id(kId);
  security->mutable_run_as_user()->set_value(0);
  security->mutable_run_as_group()->set_value(4294967294);
  security->add_supplemental_groups(12);
  security->set_supplemental_groups_policy(v1::Strict);
  security->set_readonly_rootfs(true);
  security->set_no_new_privs(true);
  security->add_masked_paths("/proc/kcore");
  security->add_readonly_paths("/proc/sys");
  security->mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  return config;
}

absl::Status ConvertPod(const v1::PodSandboxConfig& config, const std::string& handler = "") {
  capnp::MallocMessageBuilder message;
  return ToPodConfig(config, handler, message.initRoot<schema::PodConfig>());
}

absl::Status ConvertContainer(const v1::ContainerConfig& config) {
  capnp::MallocMessageBuilder message;
  const StoreNames names = {.image = kImage, .mounts = {{0, kImage}}};
  return ToContainerConfig(config, names, message.initRoot<schema::ContainerConfig>());
}

TEST(ToPodConfig, CarriesEveryField) {
  capnp::MallocMessageBuilder message;
  auto out = message.initRoot<schema::PodConfig>();
  const absl::Status status = ToPodConfig(GoodPod(), "crun", out);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ("web", String(out.getName().asReader()));
  EXPECT_EQ("default", String(out.getNamespace().asReader()));
  EXPECT_EQ("u1", String(out.getUid().asReader()));
  EXPECT_EQ(3u, out.getAttempt());
  EXPECT_EQ("/var/log/pods/web", String(out.getLogDirectory().asReader()));
  EXPECT_EQ("10.0.0.10", String(out.getDnsServers()[0]));
  EXPECT_EQ("cluster.local", String(out.getDnsSearches()[0]));
  EXPECT_EQ("ndots:5", String(out.getDnsOptions()[0]));
  EXPECT_EQ(schema::PortMapping::Protocol::UDP, out.getPortMappings()[0].getProtocol());
  EXPECT_EQ(53, out.getPortMappings()[0].getContainerPort());
  EXPECT_EQ(5353, out.getPortMappings()[0].getHostPort());
  EXPECT_EQ("127.0.0.1", String(out.getPortMappings()[0].getHostIp().asReader()));
  ASSERT_EQ(2u, out.getLabels().size());
  EXPECT_EQ("a", String(out.getLabels()[0].getKey().asReader()));
  EXPECT_EQ("2", String(out.getLabels()[1].getValue().asReader()));
  EXPECT_EQ("x\ny", String(out.getAnnotations()[0].getValue().asReader()));
  EXPECT_EQ("/kubepods/pod1", String(out.getCgroupParent().asReader()));
  EXPECT_EQ("kernel.shm_rmid_forced", String(out.getSysctls()[0].getKey().asReader()));
  EXPECT_EQ(schema::NamespaceMode::NODE, out.getNetwork());
  EXPECT_EQ(schema::NamespaceMode::CONTAINER, out.getPid());
  EXPECT_EQ(schema::NamespaceMode::POD, out.getIpc());
  EXPECT_EQ(schema::NamespaceMode::NODE, out.getUserNamespace());
  EXPECT_TRUE(out.getPrivileged());
  EXPECT_EQ("crun", String(out.getHandler().asReader()));
}

// One change that makes a good request a bad one.
template <typename Config>
struct Bad {
  absl::StatusCode code;
  const char* field;
  std::function<void(Config&)> change;
};

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kLater = absl::StatusCode::kUnimplemented;

void Expect(const absl::Status& status, absl::StatusCode code, const std::string& field) {
  EXPECT_EQ(code, status.code()) << field << " " << status;
  EXPECT_EQ(0u, status.message().find(field + ":")) << status;
}

void Map(v1::UserNamespace* user, uint32_t inside, uint32_t outside, uint32_t length) {
  for (v1::IDMapping* mapping : {user->add_uids(), user->add_gids()}) {
    mapping->set_container_id(inside);
    mapping->set_host_id(outside);
    mapping->set_length(length);
  }
}

TEST(ToPodConfig, TakesAUserNamespace) {
  v1::PodSandboxConfig in = GoodPod();
  v1::NamespaceOption* options =
      in.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  Map(options->mutable_userns_options(), 0, 100000, 65536);
  capnp::MallocMessageBuilder message;
  auto out = message.initRoot<schema::PodConfig>();
  const absl::Status status = ToPodConfig(in, "", out);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(schema::NamespaceMode::POD, out.getUserNamespace());
  EXPECT_EQ(100000u, out.getIdMapping().getHostId());
  EXPECT_EQ(65536u, out.getIdMapping().getLength());
}

TEST(ToPodConfig, RefusesWhatCannotBeCarried) {
  using Pod = v1::PodSandboxConfig;
  const auto security = [](Pod& c) { return c.mutable_linux()->mutable_security_context(); };
  const auto options = [=](Pod& c) { return security(c)->mutable_namespace_options(); };
  const Bad<Pod> table[] = {
      {kInvalid, "config.windows", [](Pod& c) { c.mutable_windows(); }},
      {kInvalid, "config.metadata.name", [](Pod& c) { c.clear_metadata(); }},
      {kInvalid, "config.metadata.name",
       [](Pod& c) { c.mutable_metadata()->set_name(std::string("web\0x", 5)); }},
      {kInvalid, "config.log_directory", [](Pod& c) { c.set_log_directory("/a/../b"); }},
      {kInvalid, "config.port_mappings[0].container_port",
       [](Pod& c) { c.mutable_port_mappings(0)->set_container_port(65536 + 80); }},
      {kInvalid, "config.port_mappings[0].host_port",
       [](Pod& c) { c.mutable_port_mappings(0)->set_host_port(-1); }},
      {kInvalid, "config.port_mappings[0].protocol",
       [](Pod& c) { c.mutable_port_mappings(0)->set_protocol(static_cast<v1::Protocol>(3)); }},
      {kInvalid, "config.linux.cgroup_parent",
       [](Pod& c) { c.mutable_linux()->set_cgroup_parent("/a/../b"); }},
      {kInvalid, "config.linux.security_context.namespace_options.network",
       [=](Pod& c) { options(c)->set_network(static_cast<v1::NamespaceMode>(65536 + 2)); }},
      {kInvalid, "config.linux.security_context.namespace_options.pid",
       [=](Pod& c) { options(c)->set_pid(v1::TARGET); }},
      {kInvalid, "config.linux.security_context.namespace_options.target_id",
       [=](Pod& c) { options(c)->set_target_id("ab"); }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options.uids",
       [=](Pod& c) {
         Map(options(c)->mutable_userns_options(), 0, 100000, 65536);
         Map(options(c)->mutable_userns_options(), 65536, 200000, 65536);
       }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options.uids",
       [=](Pod& c) { Map(options(c)->mutable_userns_options(), 1, 100000, 65536); }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options.uids",
       [=](Pod& c) { Map(options(c)->mutable_userns_options(), 0, 0, 65536); }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options.uids",
       [=](Pod& c) { Map(options(c)->mutable_userns_options(), 0, 100000, 0); }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options.gids",
       [=](Pod& c) {
         Map(options(c)->mutable_userns_options(), 0, 100000, 65536);
         options(c)->mutable_userns_options()->mutable_gids(0)->set_host_id(200000);
       }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options.mode",
       [=](Pod& c) { options(c)->mutable_userns_options()->set_mode(v1::TARGET); }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options",
       [=](Pod& c) {
         options(c)->mutable_userns_options()->set_mode(v1::NODE);
         options(c)->mutable_userns_options()->add_uids();
       }},
      {kInvalid, "config.linux.security_context.run_as_group",
       [=](Pod& c) { security(c)->mutable_run_as_group(); }},
      {kLater, "config.linux.security_context.selinux_options",
       [=](Pod& c) { security(c)->mutable_selinux_options()->set_level("s0"); }},
      {kLater, "config.linux.security_context.apparmor",
       [=](Pod& c) {
         security(c)->mutable_apparmor()->set_profile_type(v1::SecurityProfile::Localhost);
       }},
      {kInvalid, "config.linux.security_context.supplemental_groups_policy",
       [=](Pod& c) {
         security(c)->set_supplemental_groups_policy(static_cast<v1::SupplementalGroupsPolicy>(9));
       }},
  };
  for (const auto& bad : table) {
    v1::PodSandboxConfig config = GoodPod();
    bad.change(config);
    Expect(ConvertPod(config), bad.code, bad.field);
  }
  Expect(ConvertPod(GoodPod(), "../x"), kInvalid, "runtime_handler");
}

TEST(ToContainerConfig, CarriesWhatIsRunAndMounted) {
  capnp::MallocMessageBuilder message;
  auto out = message.initRoot<schema::ContainerConfig>();
  const absl::Status status = ToContainerConfig(GoodContainer(), {.image = kImage}, out);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ("app", String(out.getName().asReader()));
  EXPECT_EQ(2u, out.getAttempt());
  EXPECT_EQ(kImage, String(out.getImage().asReader()));
  EXPECT_EQ("busybox:1", String(out.getUserSpecifiedImage().asReader()));
  EXPECT_EQ("/bin/sh", String(out.getCommand()[0]));
  ASSERT_EQ(2u, out.getArgs().size());
  EXPECT_EQ("", String(out.getArgs()[1]));
  EXPECT_EQ("/srv", String(out.getWorkingDir().asReader()));
  EXPECT_EQ("\xff\n", String(out.getEnvs()[0].getValue().asReader()));
  EXPECT_EQ("/data", String(out.getMounts()[0].getContainerPath().asReader()));
  EXPECT_EQ("/mnt/data", String(out.getMounts()[0].getHostPath().asReader()));
  EXPECT_TRUE(out.getMounts()[0].getReadonly());
  EXPECT_TRUE(out.getMounts()[0].getRecursiveReadOnly());
  EXPECT_EQ("mrw", String(out.getDevices()[0].getPermissions().asReader()));
  EXPECT_EQ("app/0.log", String(out.getLogPath().asReader()));
  EXPECT_TRUE(out.getStdin() && out.getStdinOnce() && out.getTty());
  EXPECT_EQ(SIGUSR1, out.getStopSignal());
}

TEST(ToContainerConfig, CarriesPowerAndLimits) {
  capnp::MallocMessageBuilder message;
  auto out = message.initRoot<schema::ContainerConfig>();
  ASSERT_TRUE(ToContainerConfig(GoodContainer(), {.image = kImage}, out).ok());
  const auto security = out.asReader().getSecurity();
  EXPECT_EQ(uint64_t{1} << 12, security.getAddCapabilities());
  EXPECT_EQ(1u, security.getDropCapabilities());
  EXPECT_TRUE(security.getDropAllCapabilities());
  EXPECT_FALSE(security.getAddAllCapabilities());
  EXPECT_EQ(schema::NamespaceMode::TARGET, security.getPid());
  EXPECT_EQ(kId, String(security.getTargetId()));
  EXPECT_TRUE(security.getHasRunAsUser() && security.getHasRunAsGroup());
  EXPECT_EQ(0u, security.getRunAsUser());
  EXPECT_EQ(4294967294u, security.getRunAsGroup());
  EXPECT_EQ(12u, security.getSupplementalGroups()[0]);
  EXPECT_TRUE(security.getStrictSupplementalGroups() && security.getReadonlyRootfs());
  EXPECT_TRUE(security.getNoNewPrivs());
  EXPECT_EQ("/proc/kcore", String(security.getMaskedPaths()[0]));
  EXPECT_EQ("/proc/sys", String(security.getReadonlyPaths()[0]));
  EXPECT_TRUE(security.getHasSeccomp());
  EXPECT_EQ(schema::SecurityProfile::Type::RUNTIME_DEFAULT, security.getSeccomp().getType());

  v1::LinuxContainerResources resources;
  FromResources(out.asReader().getResources(), &resources);
  EXPECT_EQ(GoodContainer().linux().resources().SerializeAsString(), resources.SerializeAsString());
}

TEST(ToContainerConfig, RefusesWhatCannotBeCarried) {
  using Container = v1::ContainerConfig;
  const auto security = [](Container& c) { return c.mutable_linux()->mutable_security_context(); };
  const Bad<Container> table[] = {
      {kInvalid, "config.windows", [](Container& c) { c.mutable_windows(); }},
      {kInvalid, "config.metadata.name", [](Container& c) { c.clear_metadata(); }},
      {kInvalid, "config.args", [](Container& c) { c.add_args(std::string("a\0b", 3)); }},
      {kInvalid, "config.working_dir", [](Container& c) { c.set_working_dir("srv"); }},
      {kInvalid, "config.log_path", [](Container& c) { c.set_log_path("../../etc/x"); }},
      {kInvalid, "config.stop_signal",
       [](Container& c) { c.set_stop_signal(static_cast<v1::Signal>(66)); }},
      {kInvalid, "config.mounts[0].host_path",
       [](Container& c) { c.mutable_mounts(0)->set_host_path(""); }},
      {kInvalid, "config.mounts[0].container_path",
       [](Container& c) { c.mutable_mounts(0)->set_container_path("/a/../../b"); }},
      {kInvalid, "config.mounts[0].propagation",
       [](Container& c) {
         c.mutable_mounts(0)->set_propagation(static_cast<v1::MountPropagation>(5));
       }},
      {kInvalid, "config.mounts[0].host_path",
       [](Container& c) { c.mutable_mounts(0)->mutable_image()->set_image("x"); }},
      {kInvalid, "config.mounts[0].readonly",
       [](Container& c) {
         c.mutable_mounts(0)->mutable_image()->set_image("x");
         c.mutable_mounts(0)->clear_host_path();
         c.mutable_mounts(0)->clear_recursive_read_only();
         c.mutable_mounts(0)->set_readonly(false);
       }},
      {kInvalid, "config.mounts[0].image_sub_path",
       [](Container& c) {
         c.mutable_mounts(0)->mutable_image()->set_image("x");
         c.mutable_mounts(0)->clear_host_path();
         c.mutable_mounts(0)->set_image_sub_path("a/../../b");
       }},
      {kInvalid, "config.mounts[0].image_sub_path",
       [](Container& c) { c.mutable_mounts(0)->set_image_sub_path("x"); }},
      {kInvalid, "config.mounts[0].gidMappings",
       [](Container& c) { c.mutable_mounts(0)->add_uidmappings(); }},
      {kInvalid, "config.mounts[0].uidMappings",
       [](Container& c) { c.mutable_mounts(0)->add_gidmappings(); }},
      {kInvalid, "config.mounts[0].mount_options",
       [](Container& c) { c.mutable_mounts(0)->add_mount_options("rshared"); }},
      {kInvalid, "config.devices[0].host_path",
       [](Container& c) { c.mutable_devices(0)->set_host_path("null"); }},
      {kInvalid, "config.CDI_devices[0].name",
       [](Container& c) { c.add_cdi_devices()->set_name("v.com/c"); }},
      {kInvalid, "config.linux.resources.cpu_period",
       [](Container& c) { c.mutable_linux()->mutable_resources()->set_cpu_period(-1); }},
      {kInvalid, "config.linux.security_context.capabilities.add_capabilities",
       [=](Container& c) { security(c)->mutable_capabilities()->add_add_capabilities("8"); }},
      {kInvalid, "config.linux.security_context.capabilities.drop_capabilities",
       [=](Container& c) { security(c)->mutable_capabilities()->add_drop_capabilities("X"); }},
      {kInvalid, "config.linux.security_context.capabilities.add_ambient_capabilities",
       [=](Container& c) {
         security(c)->mutable_capabilities()->add_add_ambient_capabilities("ALL");
       }},
      {kInvalid, "config.linux.security_context.run_as_user",
       [=](Container& c) { security(c)->mutable_run_as_user()->set_value(int64_t{1} << 32); }},
      {kInvalid, "config.linux.security_context.run_as_user",
       [=](Container& c) { security(c)->mutable_run_as_user()->set_value(-1); }},
      {kInvalid, "config.linux.security_context.run_as_group",
       [=](Container& c) { security(c)->clear_run_as_user(); }},
      {kInvalid, "config.linux.security_context.supplemental_groups",
       [=](Container& c) { security(c)->add_supplemental_groups(-5); }},
      {kInvalid, "config.linux.security_context.selinux_options",
       [=](Container& c) { security(c)->mutable_selinux_options()->set_type("t\n"); }},
      {kInvalid, "config.linux.security_context.apparmor_profile",
       [=](Container& c) { security(c)->set_apparmor_profile("localhost/"); }},
      {kInvalid, "config.linux.security_context.apparmor.localhost_ref",
       [=](Container& c) {
         security(c)->mutable_apparmor()->set_profile_type(v1::SecurityProfile::Localhost);
       }},
      {kInvalid, "config.linux.security_context.apparmor.profile_type",
       [=](Container& c) {
         security(c)->mutable_apparmor()->set_profile_type(
             static_cast<v1::SecurityProfile::ProfileType>(3));
       }},
      {kInvalid, "config.linux.security_context.seccomp.localhost_ref",
       [=](Container& c) {
         security(c)->mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
         security(c)->mutable_seccomp()->set_localhost_ref("x.json");
       }},
      {kInvalid, "config.linux.security_context.seccomp.localhost_ref",
       [=](Container& c) {
         security(c)->mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
       }},
      {kInvalid, "config.linux.security_context.seccomp_profile_path",
       [=](Container& c) {
         security(c)->clear_seccomp();
         security(c)->set_seccomp_profile_path("localhost/x.json");
       }},
      {kInvalid, "config.linux.security_context.seccomp_profile_path",
       [=](Container& c) {
         security(c)->clear_seccomp();
         security(c)->set_seccomp_profile_path("strict");
       }},
      {kInvalid, "config.linux.security_context.namespace_options.userns_options.mode",
       [=](Container& c) {
         security(c)->mutable_namespace_options()->mutable_userns_options()->set_mode(v1::TARGET);
       }},
      {kInvalid, "config.linux.security_context.masked_paths[1]",
       [=](Container& c) { security(c)->add_masked_paths(""); }},
  };
  for (const auto& bad : table) {
    v1::ContainerConfig config = GoodContainer();
    bad.change(config);
    Expect(ConvertContainer(config), bad.code, bad.field);
  }
}

TEST(ToContainerConfig, ReadsTheOlderSeccompField) {
  using Type = schema::SecurityProfile::Type;
  const std::pair<std::string, std::optional<Type>> table[] = {
      {"", std::nullopt},
      {"unconfined", Type::UNCONFINED},
      {"runtime/default", Type::RUNTIME_DEFAULT},
      {"docker/default", Type::RUNTIME_DEFAULT},
      {"localhost//var/lib/kubelet/seccomp/x.json", Type::LOCALHOST}};
  for (const auto& [path, type] : table) {
    v1::LinuxContainerSecurityContext in;
    in.set_seccomp_profile_path(path);
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<schema::SecurityContext>();
    ASSERT_TRUE(ToSecurityContext(in, out).ok()) << path;
    EXPECT_EQ(type.has_value(), out.getHasSeccomp()) << path;
    if (!type.has_value()) continue;
    EXPECT_EQ(*type, out.getSeccomp().getType()) << path;
  }
}

TEST(Signals, EveryNameHasItsNumber) {
  std::set<int> numbers;
  for (int i = 0; i < v1::Signal_descriptor()->value_count(); ++i) {
    const auto name = static_cast<v1::Signal>(v1::Signal_descriptor()->value(i)->number());
    int number = -1;
    ASSERT_TRUE(ToSignal("s", name, &number).ok()) << v1::Signal_Name(name);
    numbers.insert(number);
    int again = -1;
    ASSERT_TRUE(ToSignal("s", FromSignal(number), &again).ok());
    EXPECT_EQ(number, again) << v1::Signal_Name(name);
  }
  // All 64 signals but 32 and 33, which the C library keeps to itself, and 0 for the image's.
  EXPECT_EQ(63u, numbers.size());
  EXPECT_EQ(v1::SIGNAL_SIGTERM, FromSignal(SIGTERM));
  EXPECT_EQ(v1::SIGNAL_SIGRTMINPLUS3, FromSignal(37));
  EXPECT_EQ(v1::SIGNAL_SIGRTMAXMINUS14, FromSignal(50));
  EXPECT_EQ(v1::SIGNAL_SIGRTMAX, FromSignal(64));
}

TEST(FromPod, ReportsAddressesOnlyOfItsOwnNetwork) {
  capnp::MallocMessageBuilder message;
  auto pod = message.initRoot<schema::Pod>();
  pod.setId(kId);
  pod.setState(schema::Pod::State::NOT_READY);
  pod.setCreatedAtNs(5);
  ASSERT_TRUE(ToPodConfig(GoodPod(), "crun", pod.initConfig()).ok());
  auto ips = pod.initIps(2);
  ips.set(0, "10.1.1.2");
  ips.set(1, "fd00::2");

  v1::PodSandboxStatus status;
  FromPodStatus(pod.asReader(), &status);
  EXPECT_FALSE(status.has_network());
  EXPECT_EQ(v1::NODE, status.linux().namespaces().options().network());
  EXPECT_EQ(v1::SANDBOX_NOTREADY, status.state());
  EXPECT_EQ("x\ny", status.annotations().at("note"));
  EXPECT_EQ("crun", status.runtime_handler());

  pod.getConfig().setNetwork(schema::NamespaceMode::POD);
  v1::PodSandboxStatus own;
  FromPodStatus(pod.asReader(), &own);
  EXPECT_EQ("10.1.1.2", own.network().ip());
  ASSERT_EQ(1, own.network().additional_ips_size());
  EXPECT_EQ("fd00::2", own.network().additional_ips(0).ip());

  v1::PodSandbox item;
  FromPod(pod.asReader(), &item);
  EXPECT_EQ(kId, item.id());
  EXPECT_EQ(GoodPod().metadata().SerializeAsString(), item.metadata().SerializeAsString());
  EXPECT_EQ("2", item.labels().at("b"));
}

TEST(FromContainer, ReportsWhatKubeletReads) {
  capnp::MallocMessageBuilder message;
  auto container = message.initRoot<schema::Container>();
  container.setId(kId);
  container.setPodId("b");
  ASSERT_TRUE(ToContainerConfig(GoodContainer(), {.image = kImage}, container.initConfig()).ok());
  container.setResources(container.getConfig().getResources());
  container.setState(schema::Container::State::EXITED);
  container.setImageId("sha256:1");
  container.setImageRef("docker.io/library/busybox@sha256:2");
  container.setExitCode(137);
  container.setReason("OOMKilled");
  container.setFinishedAtNs(9);
  container.setLogPath("/var/log/pods/web/app/0.log");
  container.setStopSignal(SIGUSR1);
  auto user = container.initUser();
  user.setUid(7);
  user.setGid(8);
  user.initAdditionalGids(1).set(0, 8);

  v1::ContainerStatus status;
  FromContainerStatus(container.asReader(), schema::Image::Reader(), &status);
  EXPECT_EQ(v1::CONTAINER_EXITED, status.state());
  EXPECT_EQ(kImage, status.image().image());
  EXPECT_EQ("busybox:1", status.image().user_specified_image());
  EXPECT_EQ("docker.io/library/busybox@sha256:2", status.image_ref());
  EXPECT_EQ("sha256:1", status.image_id());
  EXPECT_EQ(137, status.exit_code());
  EXPECT_EQ("OOMKilled", status.reason());
  EXPECT_EQ("/var/log/pods/web/app/0.log", status.log_path());
  ASSERT_EQ(1, status.mounts_size());
  EXPECT_EQ("/mnt/data", status.mounts(0).host_path());
  EXPECT_TRUE(status.mounts(0).recursive_read_only());
  EXPECT_EQ(512, status.resources().linux().cpu_shares());
  EXPECT_EQ(7, status.user().linux().uid());
  EXPECT_EQ(8, status.user().linux().supplemental_groups(0));
  EXPECT_EQ(v1::SIGNAL_SIGUSR1, status.stop_signal());

  v1::Container item;
  FromContainer(container.asReader(), &item);
  EXPECT_EQ("b", item.pod_sandbox_id());
  EXPECT_EQ("app", item.metadata().name());
  EXPECT_EQ("web", item.labels().at("app"));
}

TEST(FromImage, TellsANumberFromAName) {
  const struct {
    const char* written;
    bool has_uid;
    int64_t uid;
    const char* name;
  } table[] = {{"", false, 0, ""},       {"0", true, 0, ""},           {"1000:5", true, 1000, ""},
               {"www", false, 0, "www"}, {"www:web", false, 0, "www"}, {"-1", false, 0, "-1"}};
  for (const auto& row : table) {
    capnp::MallocMessageBuilder message;
    auto image = message.initRoot<schema::Image>();
    image.initConfig().setUser(row.written);
    v1::Image out;
    FromImage(image.asReader(), &out);
    EXPECT_EQ(row.has_uid, out.has_uid()) << row.written;
    EXPECT_EQ(row.uid, out.uid().value()) << row.written;
    EXPECT_EQ(row.name, out.username()) << row.written;
  }
}

TEST(ImageNames, GoFromWhatUsersWriteToWhatTheStoreKnows) {
  const std::string digest = "@sha256:" + kId;
  const std::pair<std::string, std::vector<std::string>> table[] = {
      {"busybox", {"docker.io/library/busybox:latest"}},
      {"h:5000/a:1", {"h:5000/a:1"}},
      {"busybox:1" + digest, {"docker.io/library/busybox" + digest}},
      {"sha256:" + kId, {"sha256:" + kId}},
      {"sha256:abcd", {"sha256:abcd"}},
      {kId, {kId}},
      {"cafe", {"docker.io/library/cafe:latest", "cafe"}}};
  for (const auto& [text, names] : table) {
    const auto result = ImageNames("image", text);
    ASSERT_TRUE(result.ok()) << text << result.status();
    EXPECT_EQ(names, *result) << text;
  }
  for (const char* bad : {"", "sha256:", "sha256:xyz", "oci:/etc", "A"}) {
    EXPECT_EQ(kInvalid, ImageNames("image", bad).status().code()) << bad;
  }
}

TEST(UnknownFields, AreCountedAtEveryDepth) {
  v1::RunPodSandboxRequest request;
  *request.mutable_config() = GoodPod();
  EXPECT_EQ(0, CountUnknownFields(request));
  const auto add = [](google::protobuf::Message& message) {
    message.GetReflection()->MutableUnknownFields(&message)->AddVarint(999, 1);
  };
  add(request);
  add(*request.mutable_config()->mutable_linux()->mutable_security_context());
  add(*request.mutable_config()->mutable_port_mappings(0));
  EXPECT_EQ(3, CountUnknownFields(request));
}

}  // namespace
}  // namespace bulkhead::frontend
