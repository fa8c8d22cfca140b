#include "worker/lxc/lxc_config.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "security/workload/defaults.h"
#include "worker/lxc/lines.h"

namespace bulkhead::lxc {
namespace {

using testing::HasSubstr;
using testing::Not;
using Source = schema::ContainerSpec::Namespaces::Source;

// A root file system in which everything is where its name says.
class PlainMountPoints : public MountPoints {
 public:
  absl::StatusOr<std::string> Make(const std::string& destination, const std::string&) override {
    return destination.substr(1);
  }
  absl::StatusOr<std::string> MakeDirectory(const std::string& destination) override {
    return destination.substr(1);
  }
  absl::StatusOr<std::optional<Found>> Find(const std::string&) override { return std::nullopt; }
};

class LxcConfigTest : public testing::Test {
 protected:
  LxcConfigTest() {
    auto spec = message_->initRoot<schema::ContainerSpec>();
    spec.setCgroup(absl::StrCat("/kubepods/pod/", facts_.container_id));
    auto process = spec.initProcess();
    process.initArgs(1).set(0, "/bin/true");
    process.setCwd("/");
    process.setCapabilities(security::DefaultCapabilities());
    auto ns = spec.getNamespaces();
    ns.setNetwork(Source::POD);
    ns.setIpc(Source::POD);
    ns.setUts(Source::POD);
    ns.setPid(Source::OWN);
    spec.setPodFiles(true);
  }
  schema::ContainerSpec::Builder spec() { return message_->getRoot<schema::ContainerSpec>(); }
  absl::StatusOr<std::string> Config() {
    const auto config = container::ConfigObject(spec().asReader(), facts_);
    if (!config.ok()) return config.status();
    PlainMountPoints mount_points;
    return LxcConfig({.spec = spec().asReader(),
                      .facts = facts_,
                      .config = *config,
                      .program = "/usr/bin/bulkhead-worker-lxc",
                      .cgroup = spec().getCgroup().cStr(),
                      .net_pid = 4711},
                     mount_points);
  }
  std::string Refusal() {
    const auto config = Config();
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(config.status().message());
  }

  // Its destructor may throw, a fixture's may not.
  std::unique_ptr<capnp::MallocMessageBuilder> message_ =
      std::make_unique<capnp::MallocMessageBuilder>();
  container::Facts facts_ = {.container_id = std::string(64, 'c'),
                             .bundle = "/root/lxc/pod/container",
                             .pod_directory = "/run/pods/pod",
                             .has_swap_limit = true,
                             .volumes = 2};
};

TEST_F(LxcConfigTest, NamespacesOfThePodAndOfItsOwn) {
  const std::string text = Config().value();
  EXPECT_THAT(text, HasSubstr("lxc.namespace.clone = mnt pid\n"));
  EXPECT_THAT(text, HasSubstr("lxc.namespace.share.net = /run/pods/pod/net\n"));
  EXPECT_THAT(text, HasSubstr("lxc.namespace.share.uts = /run/pods/pod/uts\n"));
  EXPECT_THAT(text, Not(HasSubstr("lxc.uts.name")));
  EXPECT_THAT(text, Not(HasSubstr("lxc.idmap")));
  spec().getNamespaces().setNetwork(Source::HOST);
  EXPECT_THAT(Config().value(), HasSubstr("lxc.namespace.share.net = /proc/4711/ns/net\n"));
}

TEST_F(LxcConfigTest, UserNamespaceIsThePods) {
  spec().getNamespaces().setUser(Source::POD);
  spec().initIdMapping().setHostId(100000);
  spec().getIdMapping().setLength(65536);
  const std::string text = Config().value();
  EXPECT_THAT(text, HasSubstr("lxc.namespace.share.user = /run/pods/pod/user\n"));
  EXPECT_THAT(text, HasSubstr("lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n"));
  spec().getProcess().getUser().initAdditionalGids(1).set(0, 7);
  EXPECT_THAT(Refusal(), HasSubstr("supplemental_groups"));
}

TEST_F(LxcConfigTest, ProcessIsConfined) {
  spec().getProcess().setCapabilities(1 << 10);
  spec().getProcess().setNoNewPrivileges(true);
  spec().getProcess().getUser().setUid(1000);
  spec().getProcess().getUser().initAdditionalGids(2).set(1, 7);
  const std::string text = Config().value();
  EXPECT_THAT(text, HasSubstr("lxc.cap.keep = net_bind_service\n"));
  EXPECT_THAT(text, HasSubstr("lxc.no_new_privs = 1\n"));
  EXPECT_THAT(text, HasSubstr("lxc.init.uid = 1000\n"));
  EXPECT_THAT(text, HasSubstr("lxc.init.groups = 0,7\n"));
  EXPECT_THAT(text, HasSubstr("lxc.hook.post-stop = /bin/false\n"));
  spec().getProcess().setCapabilities(0);
  EXPECT_THAT(Config().value(), HasSubstr("lxc.cap.keep = none\n"));
}

TEST_F(LxcConfigTest, CgroupAndLimits) {
  spec().getResources().setMemoryLimit(1 << 20);
  spec().getResources().setCpuShares(512);
  const std::string text = Config().value();
  EXPECT_THAT(text, HasSubstr("lxc.cgroup.dir.container = kubepods/pod/ccc"));
  EXPECT_THAT(text, HasSubstr("lxc.cgroup.memory.limit_in_bytes = 1048576\n"));
  EXPECT_THAT(text, HasSubstr("lxc.cgroup.memory.memsw.limit_in_bytes = 1048576\n"));
  EXPECT_THAT(text, HasSubstr("lxc.cgroup.cpu.shares = 512\n"));
  EXPECT_THAT(text, HasSubstr("lxc.cgroup.devices.deny = a\n"));
  facts_.cgroup_v2 = true;
  EXPECT_THAT(Config().value(), HasSubstr("lxc.cgroup2.memory.max = 1048576\n"));
}

TEST_F(LxcConfigTest, NoValueEndsItsLine) {
  spec().getProcess().setCwd("/a\nlxc.cap.keep = sys_admin");
  EXPECT_THAT(Refusal(), HasSubstr("cwd"));
  spec().getProcess().setCwd("/");
  auto mount = spec().initMounts(1)[0];
  mount.setDestination("/data\nlxc.hook.start = x");
  EXPECT_THAT(Refusal(), HasSubstr("mount destination"));
  mount.setDestination("/two words #1");
  EXPECT_THAT(Config().value(),
              HasSubstr("/root/lxc/pod/container/mounts/0 two\\040words\\040\\0431 none rbind,"));
}

TEST_F(LxcConfigTest, WhatCannotBeSaidIsRefused) {
  spec().initMounts(1)[0].setDestination("/data");
  spec().getMounts()[0].setPropagation(schema::Mount::Propagation::BIDIRECTIONAL);
  EXPECT_THAT(Refusal(), HasSubstr("propagation"));
  spec().initMounts(0);
  spec().getProcess().setAmbient(1 << 10);
  spec().getProcess().setCapabilities(1 << 10);
  EXPECT_THAT(Refusal(), HasSubstr("add_ambient_capabilities"));
}

TEST(Lines, RefuseWhatTheFormatCannotHold) {
  Lines lines;
  for (const char* bad : {"a\nb", "a\rb", "a\tb", " a", "a ", "\"a\"", "'a", "\x7f"}) {
    EXPECT_FALSE(lines.Add("lxc.key", bad).ok()) << bad;
  }
  EXPECT_TRUE(lines.Add("lxc.key", "a = b # c").ok());
  EXPECT_EQ(lines.text(), "lxc.key = a = b # c\n");
}

}  // namespace
}  // namespace bulkhead::lxc
