// Pods with a network of their own, through the standard CNI plugins.
#include "tests/support/fixture.h"

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
  cri::RunPodSandboxRequest NetworkedPod(const std::string& name) {
    auto request = PodRequest(name);
    auto* linux = request.mutable_config()->mutable_linux();
    linux->mutable_security_context()->mutable_namespace_options()->set_network(cri::POD);
    request.mutable_config()->set_hostname("host-" + name);
    return request;
  }
};

TEST_F(Network, PodHasAnAddressOfItsOwn) {
  auto pod = RunPod(NetworkedPod("pod"));
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
  auto server = RunPod(NetworkedPod("server"));
  ASSERT_THAT(server, IsOk());
  auto container =
      Create(ContainerRequest(*server, "main", {"/bin/sh", "-c", "echo found | nc -l -p 8080"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  auto client = RunPod(NetworkedPod("client"));
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
    auto pod = RunPod(NetworkedPod("pod"));
    ASSERT_THAT(pod, IsOk());
    RemoveAll();
  }
}

class NoNetwork : public NodeTest {};

TEST_F(NoNetwork, SaysWhatIsMissing) {
  auto request = PodRequest("pod");
  request.mutable_config()
      ->mutable_linux()
      ->mutable_security_context()
      ->mutable_namespace_options()
      ->set_network(cri::POD);
  auto pod = RunPod(request);
  EXPECT_EQ(pod.status().code(), absl::StatusCode::kFailedPrecondition) << pod.status();
}

}  // namespace
}  // namespace bulkhead::test
