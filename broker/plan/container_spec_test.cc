#include "broker/plan/container_spec.h"

#include <capnp/pretty-print.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include "broker/state/record.h"
#include "security/workload/defaults.h"

namespace bulkhead::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Source = schema::ContainerSpec::Namespaces::Source;

template <typename Builder>
void Fill(Builder list, const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); ++i) list.set(i, values[i]);
}

void SetVariables(capnp::List<schema::KeyValue>::Builder list,
                  const std::vector<std::pair<std::string, std::string>>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    list[i].setKey(values[i].first);
    list[i].setValue(kj::StringPtr(values[i].second.c_str()).asBytes());
  }
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    auto runtimes = node_.edit().initRuntimes(3);
    runtimes[0].setName("crun");
    runtimes[0].setPath("/usr/bin/crun");
    runtimes[0].setVersion("1.8.1");
    runtimes[1].setName("gone");
    runtimes[1].setPath("/nowhere");
    runtimes[2].setName("lxc");
    runtimes[2].setType(schema::Runtime::Type::LXC);
    node_.edit().setDefaultRuntime("crun");
    Fill(image_.edit().initEntrypoint(1), {"/entry"});
    Fill(image_.edit().initCmd(2), {"a", "b"});
  }

  absl::Status Plan() {
    return PlanContainer({.container_id = "c1",
                          .pod = pod_.read(),
                          .config = config_.read(),
                          .image = image_.read(),
                          .user = user_.read(),
                          .node = node_.read()},
                         spec_.edit());
  }
  std::vector<std::string> Args() {
    EXPECT_TRUE(Plan().ok());
    std::vector<std::string> out;
    for (auto arg : spec_.read().getProcess().getArgs()) out.push_back(arg.cStr());
    return out;
  }
  std::string Variable(const std::string& key) {
    std::string found = "<unset>";
    for (auto entry : spec_.read().getProcess().getEnv()) {
      if (entry.getKey() == key.c_str()) {
        found.assign(entry.getValue().asChars().begin(), entry.getValue().size());
      }
    }
    return found;
  }

  Record<schema::Config> node_;
  Record<schema::Pod> pod_;
  Record<schema::ContainerConfig> config_;
  Record<schema::ImageConfig> image_;
  Record<schema::UserIds> user_;
  Record<schema::ContainerSpec> spec_;
};

TEST_F(PlanTest, CommandAndArgsReplaceWhatKubernetesSaysTheyReplace) {
  EXPECT_THAT(Args(), ElementsAre("/entry", "a", "b"));
  Fill(config_.edit().initArgs(1), {"x"});
  EXPECT_THAT(Args(), ElementsAre("/entry", "x"));
  Fill(config_.edit().initCommand(1), {"/cmd"});
  EXPECT_THAT(Args(), ElementsAre("/cmd", "x"));
  config_.edit().initArgs(0);
  EXPECT_THAT(Args(), ElementsAre("/cmd"));
}

TEST_F(PlanTest, NothingToRunNamesTheField) {
  image_.edit().initEntrypoint(0);
  image_.edit().initCmd(0);
  absl::Status status = Plan();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("config.command"));
}

TEST_F(PlanTest, TheConfigsVariablesReplaceTheImages) {
  SetVariables(image_.edit().initEnv(2), {{"A", "image"}, {"B", "image"}});
  SetVariables(config_.edit().initEnvs(2), {{"A", "pod"}, {"A", "pod, later"}});
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(Variable("A"), "pod, later");
  EXPECT_EQ(Variable("B"), "image");
  EXPECT_THAT(Variable("PATH"), HasSubstr("/usr/bin"));
}

TEST_F(PlanTest, Capabilities) {
  auto planned = [&] {
    EXPECT_TRUE(Plan().ok());
    return spec_.read().getProcess().getCapabilities();
  };
  EXPECT_EQ(planned(), security::DefaultCapabilities());
  EXPECT_EQ(__builtin_popcountll(security::DefaultCapabilities()), 14);
  auto security = config_.edit().getSecurity();
  security.setDropAllCapabilities(true);
  security.setAddCapabilities(uint64_t{1} << CAP_NET_ADMIN);
  EXPECT_EQ(planned(), uint64_t{1} << CAP_NET_ADMIN);
  security.setDropAllCapabilities(false);
  security.setAddAllCapabilities(true);
  security.setDropCapabilities(uint64_t{1} << CAP_SYS_ADMIN);
  EXPECT_EQ(planned() & (uint64_t{1} << CAP_SYS_ADMIN), 0u);
  EXPECT_NE(planned() & (uint64_t{1} << CAP_SYS_TIME), 0u);
}

TEST_F(PlanTest, SilenceOnSeccompIsUnconfinedAndPrivilegedIsToo) {
  auto type = [&] {
    EXPECT_TRUE(Plan().ok());
    return spec_.read().getProcess().getSeccomp().getType();
  };
  EXPECT_EQ(type(), schema::SecurityProfile::Type::UNCONFINED);
  config_.edit().getSecurity().setHasSeccomp(true);
  EXPECT_EQ(type(), schema::SecurityProfile::Type::RUNTIME_DEFAULT);
  config_.edit().getSecurity().setPrivileged(true);
  EXPECT_EQ(type(), schema::SecurityProfile::Type::UNCONFINED);
}

TEST_F(PlanTest, NamespacesFollowThePod) {
  ASSERT_TRUE(Plan().ok());
  auto spaces = spec_.read().getNamespaces();
  EXPECT_EQ(spaces.getNetwork(), Source::POD);
  EXPECT_EQ(spaces.getUts(), Source::POD);
  config_.edit().getSecurity().setNetwork(schema::NamespaceMode::NODE);
  absl::Status exceeds = Plan();
  EXPECT_EQ(exceeds.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(exceeds.message()), HasSubstr("namespace_options.network"));
  config_.edit().getSecurity().setNetwork(schema::NamespaceMode::POD);
  pod_.edit().getConfig().setNetwork(schema::NamespaceMode::NODE);
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(spec_.read().getNamespaces().getNetwork(), Source::HOST) << "as its pod";
  config_.edit().getSecurity().setNetwork(schema::NamespaceMode::NODE);
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(spec_.read().getNamespaces().getNetwork(), Source::HOST);
  EXPECT_EQ(spec_.read().getNamespaces().getUts(), Source::HOST);
}

TEST_F(PlanTest, AmbientCapabilitiesOnlyWhereAsked) {
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(spec_.read().getProcess().getAmbient(), 0u);
  auto security = config_.edit().getSecurity();
  security.setDropAllCapabilities(true);
  security.setAmbientCapabilities(uint64_t{1} << CAP_NET_BIND_SERVICE | uint64_t{1} << CAP_KILL);
  security.setDropCapabilities(uint64_t{1} << CAP_KILL);
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(spec_.read().getProcess().getAmbient(), uint64_t{1} << CAP_NET_BIND_SERVICE);
  EXPECT_EQ(spec_.read().getProcess().getCapabilities(), uint64_t{1} << CAP_NET_BIND_SERVICE);
}

TEST_F(PlanTest, LabelsAndProfilesThatTheNodeCannotKeep) {
  config_.edit().getSecurity().getSelinux().setType("spc_t");
  EXPECT_TRUE(Plan().ok()) << "no label without SELinux";
  node_.edit().getHost().setSelinux(true);
  EXPECT_EQ(Plan().code(), absl::StatusCode::kUnimplemented);
  node_.edit().getHost().setSelinux(false);
  config_.edit().getSecurity().setApparmorProfile("mine");
  absl::Status profile = Plan();
  EXPECT_EQ(profile.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(profile.message()), HasSubstr("security_context.apparmor"));
  config_.edit().getSecurity().setPrivileged(true);
  EXPECT_TRUE(Plan().ok()) << "privileged undoes it";
}

// V17: what a runtime would read in annotations has no way into the specification, whoever wrote
// it.
TEST_F(PlanTest, V17NoAnnotationOrLabelChangesThePlan) {
  ASSERT_TRUE(Plan().ok());
  const std::string before = capnp::prettyPrint(spec_.read()).flatten().cStr();
  const char* keys[] = {"run.oci.seccomp.plugins",
                        "run.oci.hooks.stdout",
                        "run.oci.handler",
                        "run.oci.keep_original_groups",
                        "run.oci.delegate-cgroup",
                        "run.oci.systemd.subgroup",
                        "org.systemd.property.ExecStart",
                        "org.criu.config",
                        "module.wasm.image/variant",
                        "cdi.k8s.io/gpu",
                        "io.katacontainers.config.x",
                        "bulkhead.runtime"};
  auto fill = [&](auto list) {
    for (size_t i = 0; i < std::size(keys); ++i) {
      list[i].setKey(keys[i]);
      list[i].setValue("/tmp/canary");
    }
  };
  fill(config_.edit().initAnnotations(std::size(keys)));
  fill(pod_.edit().getConfig().initAnnotations(std::size(keys)));
  fill(config_.edit().initLabels(std::size(keys)));
  fill(image_.edit().initLabels(std::size(keys)));
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(std::string(capnp::prettyPrint(spec_.read()).flatten().cStr()), before);
}

// V26: one request's variables never meet another's, and no process of ours sees any.
TEST_F(PlanTest, V26EachPlanIsMadeOfItsOwnInputsAlone) {
  SetVariables(config_.edit().initEnvs(1), {{"SECRET", "one"}});
  ASSERT_TRUE(Plan().ok());
  const std::string first = spec_.Serialize();
  SetVariables(config_.edit().initEnvs(0), {});
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(Variable("SECRET"), "<unset>");
  EXPECT_NE(spec_.Serialize(), first);
}

// V27: a cgroup's path is built of the pod's parent and our own id.
TEST_F(PlanTest, V27ACgroupLiesBelowItsPods) {
  pod_.edit().setCgroup("/kubepods/podx");
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(std::string(spec_.read().getCgroup().cStr()), "/kubepods/podx/c1");
}

TEST_F(PlanTest, CgroupsOfBothDrivers) {
  pod_.edit().setCgroup("/kubepods/podx");
  EXPECT_EQ(PlanCgroup(pod_.read(), "c1"), "/kubepods/podx/c1");
  pod_.edit().setCgroup("kubepods-podx.slice");
  EXPECT_EQ(PlanCgroup(pod_.read(), "c1"), "kubepods-podx.slice:bulkhead:c1");
}

TEST(ParseSignalTest, NamesAndNumbers) {
  EXPECT_EQ(ParseSignal("SIGTERM"), 15);
  EXPECT_EQ(ParseSignal("QUIT"), 3);
  EXPECT_EQ(ParseSignal("9"), 9);
  EXPECT_EQ(ParseSignal("SIGRTMIN+3"), SIGRTMIN + 3);
  for (const char* bad : {"", "0", "65", "-1", "SIGNOPE", "SIGRTMIN+40", "SIGRTMIN+x"}) {
    EXPECT_EQ(ParseSignal(bad), 0) << bad;
  }
}

}  // namespace
}  // namespace bulkhead::broker
