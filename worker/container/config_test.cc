#include "worker/container/config.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "security/workload/defaults.h"

namespace bulkhead::container {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Source = schema::ContainerSpec::Namespaces::Source;
using Type = schema::SecurityProfile::Type;

const std::string kContainer(64, 'c');

Facts TestFacts() {
  return {.container_id = kContainer,
          .bundle = "/root/crun/pod/container",
          .pod_directory = "/run/pods/pod",
          .cgroup_v2 = true,
          .has_hugetlb = true,
          .has_swap_limit = true,
          .has_resolv_conf = true,
          .has_hostname = true,
          .volumes = 3,
          .target_pid = 4711};
}

template <typename List>
void SetTexts(List list, const std::vector<const char*>& values) {
  for (unsigned i = 0; i < values.size(); ++i) list.set(i, values[i]);
}

// An ordinary container of an ordinary pod.
void FillPlain(schema::ContainerSpec::Builder spec) {
  auto process = spec.initProcess();
  SetTexts(process.initArgs(2), {"/bin/server", "--port=80"});
  auto env = process.initEnv(1);
  env[0].setKey("PATH");
  env[0].setValue(kj::StringPtr("/bin").asBytes());
  process.setCwd("/");
  auto user = process.initUser();
  user.initAdditionalGids(2).set(0, 0);
  user.getAdditionalGids().set(1, 2000);
  process.setCapabilities(security::DefaultCapabilities());
  process.setOomScoreAdj(937);
  process.initSeccomp().setType(Type::UNCONFINED);
  auto ns = spec.initNamespaces();
  ns.setNetwork(Source::POD);
  ns.setIpc(Source::POD);
  ns.setUts(Source::POD);
  ns.setPid(Source::OWN);
  spec.setCgroup(absl::StrCat("/kubepods/pod1/", kContainer));
  auto resources = spec.initResources();
  resources.setCpuShares(512);
  resources.setCpuQuota(50000);
  resources.setCpuPeriod(100000);
  resources.setMemoryLimit(64 << 20);
  resources.setMemorySwapLimit(64 << 20);
  SetTexts(spec.initMaskedPaths(1), {"/proc/kcore"});
  SetTexts(spec.initReadonlyPaths(1), {"/proc/sys"});
  spec.setPodFiles(true);
}

void AddVolumes(schema::ContainerSpec::Builder spec) {
  auto mounts = spec.initMounts(3);
  mounts[0].setDestination("/data/deep/er");
  mounts[0].setPropagation(schema::Mount::Propagation::HOST_TO_CONTAINER);
  mounts[1].setDestination("/data");
  mounts[1].setVolume(1);
  mounts[1].setReadOnly(true);
  mounts[2].setDestination("/etc/hostname");
  mounts[2].setVolume(2);
}

absl::StatusOr<json> Generate(const std::function<void(schema::ContainerSpec::Builder)>& change,
                              const Facts& facts = TestFacts()) {
  capnp::MallocMessageBuilder message;
  auto spec = message.initRoot<schema::ContainerSpec>();
  FillPlain(spec);
  change(spec);
  const absl::StatusOr<std::string> text = ConfigJson(spec.asReader(), facts);
  if (!text.ok()) return text.status();
  return json::parse(*text, nullptr, false);
}

json Must(const std::function<void(schema::ContainerSpec::Builder)>& change,
          const Facts& facts = TestFacts()) {
  absl::StatusOr<json> config = Generate(change, facts);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(json());
}

absl::Status Refused(const std::function<void(schema::ContainerSpec::Builder)>& change) {
  return Generate(change).status();
}

// Compares with testdata/<name>.json. BULKHEAD_UPDATE_GOLDEN=1 writes it, for review.
void CompareWithGolden(const std::string& name, const json& config) {
  const std::string path = absl::StrCat(BULKHEAD_TESTDATA, "/", name, ".json");
  if (getenv("BULKHEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << config.dump(1) << "\n";
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  const json golden = json::parse(text.str(), nullptr, false);
  EXPECT_EQ(config, golden) << config.dump(1);
}

TEST(ConfigJson, PlainContainer) {
  CompareWithGolden("plain", Must([](auto) {}));
}

TEST(ConfigJson, VolumesInTheOrderOfTheirDepth) { CompareWithGolden("volumes", Must(AddVolumes)); }

TEST(ConfigJson, PrivilegedContainerOfTheNodesNamespaces) {
  Facts facts = TestFacts();
  facts.cgroup_v2 = false;
  facts.devices = {{.path = "/dev/sda", .type = 'b', .major = 8, .mode = 0660, .access = "rwm"}};
  CompareWithGolden("privileged", Must(
                                      [](schema::ContainerSpec::Builder spec) {
                                        spec.getProcess().setCapabilities(~uint64_t{0});
                                        spec.setAllDevices(true);
                                        spec.setCgroupWritable(true);
                                        spec.initMaskedPaths(0);
                                        spec.initReadonlyPaths(0);
                                        auto ns = spec.initNamespaces();
                                        ns.setPid(Source::HOST);
                                      },
                                      facts));
}

TEST(ConfigJson, HoldsNeitherAnnotationsNorHooks) {
  const json config = Must(AddVolumes);
  for (const auto& item : config.items()) {
    EXPECT_THAT((std::vector<std::string>{"ociVersion", "process", "root", "mounts", "linux"}),
                testing::Contains(item.key()));
  }
}

TEST(ConfigJson, V22OnlyRootHoldsCapabilitiesAtOnce) {
  const json config =
      Must([](auto spec) { spec.getProcess().getUser().setUid(1000); })["process"]["capabilities"];
  EXPECT_EQ(config["bounding"].size(), 14u);
  EXPECT_TRUE(config["permitted"].empty());
  EXPECT_TRUE(config["effective"].empty());
  EXPECT_TRUE(config["inheritable"].empty());
  EXPECT_TRUE(config["ambient"].empty());
}

TEST(ConfigJson, V22AmbientOnesAreAskedForByName) {
  const json config = Must([](auto spec) {
    spec.getProcess().getUser().setUid(1000);
    spec.getProcess().setAmbient(uint64_t{1} << CAP_KILL | uint64_t{1} << CAP_SYS_ADMIN);
  })["process"]["capabilities"];
  const json kill = json::array({"CAP_KILL"});
  EXPECT_EQ(config["ambient"], kill) << "of those that the container has";
  EXPECT_EQ(config["inheritable"], kill);
  EXPECT_EQ(config["effective"], kill);
}

TEST(ConfigJson, CutsCapabilitiesToWhatTheNodeHas) {
  Facts facts = TestFacts();
  facts.bounding = uint64_t{1} << CAP_CHOWN | uint64_t{1} << CAP_SYS_ADMIN;
  const json config = Must([](auto) {}, facts);
  EXPECT_EQ(config["process"]["capabilities"]["bounding"], json::array({"CAP_CHOWN"}));
}

TEST(ConfigJson, ClampsTheOomScore) {
  Facts facts = TestFacts();
  facts.lowest_oom_score_adj = -5;
  const auto set = [](int value) {
    return
        [value](schema::ContainerSpec::Builder spec) { spec.getProcess().setOomScoreAdj(value); };
  };
  EXPECT_EQ(Must(set(-998), facts)["process"]["oomScoreAdj"], -5);
  EXPECT_EQ(Must(set(5000), facts)["process"]["oomScoreAdj"], 1000);
}

TEST(ConfigJson, DefaultSeccompIsThere) {
  const json config =
      Must([](auto spec) { spec.getProcess().getSeccomp().setType(Type::RUNTIME_DEFAULT); });
  EXPECT_EQ(config["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_GT(config["linux"]["seccomp"]["syscalls"][0]["names"].size(), 300u);
}

TEST(ConfigJson, ALocalhostProfileIsWrittenAsItWasRead) {
  const json config = Must([](auto spec) {
    spec.getProcess().getSeccomp().setType(Type::LOCALHOST);
    auto filter = spec.initSeccompFilter();
    filter.setDefaultAction(schema::SeccompFilter::Action::ERRNO);
    filter.initRules(1)[0].initNames(1).set(0, "read");
    filter.getRules()[0].setAction(schema::SeccompFilter::Action::ALLOW);
  });
  EXPECT_EQ(config["linux"]["seccomp"], json::parse(R"({"defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})"));
}

// What the broker sends is checked again where power is.
TEST(ConfigJson, V24AFilterThatCannotBeIsRefused) {
  const auto refused = [](const std::function<void(schema::SeccompFilter::Builder)>& change) {
    return Refused([&](auto spec) {
             spec.getProcess().getSeccomp().setType(Type::LOCALHOST);
             auto filter = spec.initSeccompFilter();
             filter.initRules(1)[0].initNames(1).set(0, "read");
             change(filter);
           })
        .code();
  };
  EXPECT_EQ(refused([](auto) {}), absl::StatusCode::kOk);
  EXPECT_EQ(refused([](auto f) { f.getRules()[0].initNames(0); }),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto f) { f.getRules()[0].getNames().set(0, "a\",\"b"); }),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto f) { f.getRules()[0].setErrno(5000); }),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto f) { f.initFlags(1).set(0, ""); }), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto f) { f.initRules(2049); }), absl::StatusCode::kInvalidArgument);
}

TEST(ConfigJson, ASharedPidNamespaceIsRefusedAndNotIgnored) {
  EXPECT_EQ(Refused([](auto spec) { spec.getNamespaces().setPid(Source::POD); }).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ConfigJson, JoinsATargetsPidNamespace) {
  const json config = Must([](auto spec) { spec.getNamespaces().setPid(Source::TARGET); });
  EXPECT_THAT(config["linux"]["namespaces"],
              testing::Contains(json({{"type", "pid"}, {"path", "/proc/4711/ns/pid"}})));
}

TEST(ConfigJson, AVolumeAtDevTakesThePlaceOfAllBelow) {
  const json config = Must([](auto spec) { spec.initMounts(1)[0].setDestination("/dev"); });
  int below = 0;
  for (const json& mount : config["mounts"]) {
    below += mount["destination"].get<std::string>().rfind("/dev", 0) == 0;
  }
  EXPECT_EQ(below, 1);
}

TEST(ConfigJson, AVolumeAtEtcKeepsThePodsFilesOut) {
  const json config = Must([](auto spec) { spec.initMounts(1)[0].setDestination("/etc"); });
  EXPECT_THAT(config.dump(), testing::Not(HasSubstr("/etc/resolv.conf")));
}

TEST(ConfigJson, LeavesOutLimitsThatTheNodeCannotSet) {
  Facts facts = TestFacts();
  facts.has_hugetlb = false;
  facts.has_swap_limit = false;
  const json resources = Must(
      [](auto spec) {
        auto limit = spec.getResources().initHugepageLimits(1);
        limit[0].setPageSize("2MB");
      },
      facts)["linux"]["resources"];
  EXPECT_FALSE(resources.contains("hugepageLimits"));
  EXPECT_FALSE(resources["memory"].contains("swap"));
}

TEST(ConfigJson, RefusesWhatIsNoUtf8) {
  const absl::Status status = Refused([](auto spec) {
    spec.getProcess().getEnv()[0].setValue(kj::StringPtr("\xff\xfe").asBytes());
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConfigJson, NamesTheFieldThatIsWrong) {
  using Spec = schema::ContainerSpec::Builder;
  const std::pair<const char*, std::function<void(Spec)>> cases[] = {
      {"args", [](Spec s) { s.getProcess().initArgs(0); }},
      {"args", [](Spec s) { s.getProcess().getArgs().set(0, kj::StringPtr("a\0b", 3)); }},
      {"env", [](Spec s) { s.getProcess().getEnv()[0].setKey("A=B"); }},
      {"env", [](Spec s) { s.getProcess().getEnv()[0].setKey(""); }},
      {"env",
       [](Spec s) { s.getProcess().getEnv()[0].setValue(kj::StringPtr("\0", 1).asBytes()); }},
      {"cwd", [](Spec s) { s.getProcess().setCwd("relative"); }},
      {"cwd", [](Spec s) { s.getProcess().setCwd("/a/../b"); }},
      {"cwd", [](Spec s) { s.getProcess().setCwd("/proc/self/fd/7"); }},
      {"mount destination", [](Spec s) { s.initMounts(1)[0].setDestination("/"); }},
      {"mount destination", [](Spec s) { s.initMounts(1)[0].setDestination("/a/../../etc"); }},
      {"no such volume",
       [](Spec s) {
         s.initMounts(1)[0].setDestination("/a");
         s.getMounts()[0].setVolume(3);
       }},
      {"cgroup", [](Spec s) { s.setCgroup("/"); }},
      {"cgroup", [](Spec s) { s.setCgroup("/kubepods/pod1"); }},
      {"cgroup", [](Spec s) { s.setCgroup(absl::StrCat("/../", kContainer)); }},
      {"masked path", [](Spec s) { s.initMaskedPaths(1).set(0, "proc"); }},
      {"namespaces", [](Spec s) { s.getNamespaces().setNetwork(Source::TARGET); }},
  };
  for (const auto& [field, change] : cases) {
    const absl::Status status = Refused(change);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
}

TEST(ProcessJson, IsTheSameAsTheProcessOfCreate) {
  capnp::MallocMessageBuilder message;
  auto spec = message.initRoot<schema::ContainerSpec>();
  FillPlain(spec);
  const absl::StatusOr<std::string> process =
      ProcessJson(spec.getProcess().asReader(), TestFacts());
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(json::parse(*process, nullptr, false), Must([](auto) {})["process"]);
}

}  // namespace
}  // namespace bulkhead::container
