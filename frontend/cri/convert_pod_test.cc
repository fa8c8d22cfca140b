#include <capnp/message.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/testing/configs.h"

namespace bulkhead::frontend {
namespace {

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

}  // namespace
}  // namespace bulkhead::frontend
