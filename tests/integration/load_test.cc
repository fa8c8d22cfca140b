// Many at once, and the leak check after them.
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using Runtime = tools::CriClient::Runtime;

// Runs task(client, number) for each number below count, so many at a time, each thread with a
// client of its own.
template <typename Task>
void InThreads(const Node& node, int threads, int count, Task task) {
  std::atomic<int> next = 0;
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      tools::CriClient client(node.cri_socket());
      for (int number = next++; number < count; number = next++) task(client, number);
    });
  }
  for (std::thread& thread : all) thread.join();
}

class Load : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.cni = true;
    return options;
  }

  // Every second pod has a network of its own.
  cri::RunPodSandboxRequest NumberedPod(int number) {
    const std::string name = absl::StrCat("pod-", number);
    return number % 2 == 1 ? NetworkedPod(name) : PodRequest(name);
  }

  void StopAndRemove(const std::vector<std::string>& pods, int at_once) {
    InThreads(node(), at_once, pods.size(), [&](tools::CriClient& client, int number) {
      cri::StopPodSandboxRequest stop;
      stop.set_pod_sandbox_id(pods[number]);
      EXPECT_THAT(client.Call(&Runtime::StopPodSandbox, stop, kPatience), IsOk());
      cri::RemovePodSandboxRequest remove;
      remove.set_pod_sandbox_id(pods[number]);
      EXPECT_THAT(client.Call(&Runtime::RemovePodSandbox, remove, kPatience), IsOk());
    });
  }
};

TEST_F(Load, TwoHundredPodsFiftyAtATime) {
  constexpr int kPods = 200, kAtOnce = 50;
  std::vector<cri::RunPodSandboxRequest> requests;
  for (int i = 0; i < kPods; ++i) requests.push_back(NumberedPod(i));
  std::vector<std::string> ids(kPods);
  InThreads(node(), kAtOnce, kPods, [&](tools::CriClient& client, int number) {
    auto ran = client.Call(&Runtime::RunPodSandbox, requests[number], kPatience);
    EXPECT_THAT(ran, IsOk());
    if (ran.ok()) ids[number] = ran->pod_sandbox_id();
  });
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), kPods);
  auto list = cri().Call(&Runtime::ListPodSandbox, cri::ListPodSandboxRequest(), kPatience);
  ASSERT_THAT(list, IsOk());
  EXPECT_EQ(list->items_size(), kPods);
  std::set<std::string> addresses;
  for (int i = 1; i < kPods; i += 2) {
    auto status = PodStatus(ids[i]);
    ASSERT_THAT(status, IsOk());
    EXPECT_EQ(status->state(), cri::SANDBOX_READY);
    addresses.insert(status->network().ip());
  }
  EXPECT_EQ(addresses.size(), kPods / 2) << "each has an address of its own";
  StopAndRemove(ids, kAtOnce);
}

// What befalls one of a thousand requests.
enum class Fate { kPlain, kCancelled, kTwice };

std::vector<Fate> Fates(int count) {
  std::mt19937 random(12);  // the same each time
  std::vector<Fate> fates;
  for (int i = 0; i < count; ++i) {
    const unsigned percent = random() % 100;
    fates.push_back(percent < 10 ? Fate::kCancelled : percent < 15 ? Fate::kTwice : Fate::kPlain);
  }
  return fates;
}

// Gives up after some milliseconds, as a kubelet does whose deadline has passed.
void CreateAndGiveUp(tools::CriClient& client, const cri::CreateContainerRequest& request,
                     int milliseconds) {
  auto answer = client.Call(&Runtime::CreateContainer, request, absl::Milliseconds(milliseconds));
  EXPECT_TRUE(answer.ok() || absl::IsDeadlineExceeded(answer.status())) << answer.status();
}

TEST_F(Load, F12ThousandCreatesWithCancelsAndRepeats) {
  constexpr int kPods = 100, kContainers = 1000, kAtOnce = 100;
  std::vector<std::string> pods;
  for (int i = 0; i < kPods; ++i) {
    auto pod = RunPod(PodRequest(absl::StrCat("pod-", i)));
    ASSERT_THAT(pod, IsOk());
    pods.push_back(*pod);
  }
  std::vector<cri::CreateContainerRequest> requests;
  for (int i = 0; i < kContainers; ++i) {
    requests.push_back(
        ContainerRequest(pods[i % kPods], absl::StrCat("c", i), {"/bin/sleep", "1000"}));
  }
  const std::vector<Fate> fates = Fates(kContainers);
  std::vector<std::string> ids(kContainers);
  InThreads(node(), kAtOnce, kContainers, [&](tools::CriClient& client, int number) {
    const cri::CreateContainerRequest& request = requests[number];
    if (fates[number] == Fate::kCancelled) CreateAndGiveUp(client, request, number % 97);
    // Whatever the first try came to, the next one comes to the same container.
    auto created = client.Call(&Runtime::CreateContainer, request, kPatience);
    ASSERT_THAT(created, IsOk());
    ids[number] = created->container_id();
    if (fates[number] != Fate::kTwice) return;
    auto again = client.Call(&Runtime::CreateContainer, request, kPatience);
    ASSERT_THAT(again, IsOk());
    EXPECT_EQ(again->container_id(), ids[number]);
  });
  auto list = cri().Call(&Runtime::ListContainers, cri::ListContainersRequest(), kPatience);
  ASSERT_THAT(list, IsOk());
  std::set<std::string> listed;
  for (const cri::Container& container : list->containers()) {
    EXPECT_EQ(container.state(), cri::CONTAINER_CREATED);
    listed.insert(container.id());
  }
  EXPECT_EQ(listed, std::set<std::string>(ids.begin(), ids.end()));
  EXPECT_EQ(listed.size(), kContainers);
  EXPECT_THAT(Start(ids[kContainers / 2]), IsOk());
  StopAndRemove(pods, 10);
}

}  // namespace
}  // namespace bulkhead::test
