#include <capnp/message.h>
#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/testing/configs.h"

namespace bulkhead::frontend {
namespace {

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

}  // namespace
}  // namespace bulkhead::frontend
