// Pods with a network of their own, through the standard CNI plugins.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"
#include "tools/client/admin.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Network : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.cni = true;
    return options;
  }
  cri::RunPodSandboxRequest NamedPod(const std::string& name) {
    auto request = NetworkedPod(name);
    request.mutable_config()->set_hostname("host-" + name);
    return request;
  }
};

TEST_F(Network, PodHasAnAddressOfItsOwn) {
  auto pod = RunPod(NamedPod("pod"));
  ASSERT_THAT(pod, IsOk());
  auto status = PodStatus(*pod);
  ASSERT_THAT(status, IsOk());
  EXPECT_THAT(status->network().ip(), StartsWith("10.123.45."));
  auto output = OutputOf(
      ContainerRequest(*pod, "main", {"/bin/sh", "-c", "hostname; ip -o addr; ls /sys/class/net"}));
  ASSERT_THAT(output, IsOk());
  EXPECT_THAT(*output, StartsWith("host-pod\n"));
  EXPECT_THAT(*output, HasSubstr(status->network().ip()));
  EXPECT_THAT(*output, HasSubstr("127.0.0.1"));
  EXPECT_THAT(*output, Not(HasSubstr("bhtest0")));
  RemoveAll();
}

TEST_F(Network, PodsReachEachOther) {
  auto server = RunPod(NamedPod("server"));
  ASSERT_THAT(server, IsOk());
  auto container =
      Create(ContainerRequest(*server, "main", {"/bin/sh", "-c", "echo found | nc -l -p 8080"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  auto client = RunPod(NamedPod("client"));
  ASSERT_THAT(client, IsOk());
  std::string address = PodStatus(*server)->network().ip();
  auto output = OutputOf(ContainerRequest(
      *client, "main",
      {"/bin/sh", "-c", "for i in 1 2 3 4 5; do nc " + address + " 8080 && break; sleep 1; done"}));
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "found\n");
  RemoveAll();
}

TEST_F(Network, AddressIsGivenBack) {
  for (int round = 0; round < 3; ++round) {
    auto pod = RunPod(NamedPod("pod"));
    ASSERT_THAT(pod, IsOk());
    RemoveAll();
  }
}

TEST_F(Network, ChangesOfTheConfigurationCount) {
  auto ready = [&] {
    return tools::AdminNetworkStatus(node().admin_socket()).value_or(tools::AdminNetworks());
  };
  auto first = RunPod(NamedPod("first"));
  ASSERT_THAT(first, IsOk());
  node().WriteNetwork("", "10.123.46.0/24");
  std::string address;
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] {
    auto pod = RunPod(NamedPod("next"));
    if (pod.ok()) address = PodStatus(*pod)->network().ip();
    return absl::StartsWith(address, "10.123.46.");
  })) << address;
  // A broken one is not taken: the last good one stays.
  std::ofstream(node().network_file()) << "{";
  absl::SleepFor(absl::Seconds(1));
  EXPECT_TRUE(ready().ready);
  auto later = RunPod(NamedPod("later"));
  ASSERT_THAT(later, IsOk());
  EXPECT_THAT(PodStatus(*later)->network().ip(), StartsWith("10.123.46."));
  // None at all is no network.
  unlink(node().network_file().c_str());
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] { return !ready().ready; }));
  EXPECT_THAT(ready().reason, HasSubstr("no network configuration"));
  EXPECT_EQ(RunPod(NamedPod("none")).status().code(), absl::StatusCode::kFailedPrecondition);
  // Those that were attached go on, and are undone by what they were attached with.
  RemoveAll();
  EXPECT_THAT(node().Leases(), ::testing::IsEmpty());
}

TEST_F(Network, AMissingPluginIsTheReason) {
  node().WriteNetwork(R"(,{"type": "no-such-plugin"})");
  // Another file than the one in use: that one would stay.
  auto status = [&] { return tools::AdminNetworkStatus(node().admin_socket()); };
  std::filesystem::rename(node().network_file(), node().directory() + "/cni/05-other.conflist");
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] { return !status()->ready; }));
  EXPECT_THAT(status()->reason, HasSubstr("no-such-plugin"));
  node().AddPlugin("no-such-plugin",
                   "[ $CNI_COMMAND != VERSION ] || echo '{\"supportedVersions\":[\"1.0.0\"]}'");
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] { return status()->ready; }));
}

// A plugin of CNI 1.1, which Debian 12 does not have yet.
class ModernNetwork : public Network {
 protected:
  void SetUp() override {
    Network::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    node().AddPlugin("modern", "cd " + node().directory() + R"(
case $CNI_COMMAND in
  VERSION) echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}' ;;
  ADD) echo '{"cniVersion":"1.1.0","ips":[{"address":"10.99.0.7/24"}]}' ;;
  STATUS) [ ! -e trouble ] || { echo '{"code":50,"msg":"no uplink"}'; exit 1; } ;;
  GC) cat > collected ;;
esac)");
    std::ofstream(node().directory() + "/draft")
        << R"({"cniVersion":"1.1.0","name":"modern","plugins":[{"type":"modern"}]})";
    std::filesystem::rename(node().directory() + "/draft", node().network_file());
    ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return Networks().network == "modern"; }));
  }
  tools::AdminNetworks Networks() {
    return tools::AdminNetworkStatus(node().admin_socket()).value_or(tools::AdminNetworks());
  }
};

TEST_F(ModernNetwork, IsAskedForItsStatusAndCollectsGarbage) {
  auto pod = RunPod(NamedPod("pod"));
  ASSERT_THAT(pod, IsOk());
  EXPECT_EQ(PodStatus(*pod)->network().ip(), "10.99.0.7");
  EXPECT_EQ(node().Bulkhead({"network", "gc"}).code, 0);
  std::stringstream collected;
  collected << std::ifstream(node().directory() + "/collected").rdbuf();
  EXPECT_THAT(collected.str(), HasSubstr(*pod));
  Output checked = node().Bulkhead({"network", "check"});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("test/pod: good"));
  std::ofstream(node().directory() + "/trouble") << "";
  EXPECT_TRUE(Eventually(absl::Seconds(30), [&] { return !Networks().ready; }));
  EXPECT_THAT(Networks().reason, HasSubstr("no uplink"));
  RemoveAll();
}

class NoNetwork : public NodeTest {};

TEST_F(NoNetwork, SaysWhatIsMissing) {
  auto pod = RunPod(NetworkedPod("pod"));
  EXPECT_EQ(pod.status().code(), absl::StatusCode::kFailedPrecondition) << pod.status();
}

}  // namespace
}  // namespace bulkhead::test
