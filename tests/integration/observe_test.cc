// What the node tells of its pods: use of resources, streamed lists, and events.
#include <signal.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using Image = tools::CriClient::Image;
using Runtime = tools::CriClient::Runtime;
using ::testing::ElementsAre;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class Observe : public NodeTest {
 protected:
  absl::StatusOr<std::string> StartOne(const std::string& pod, const std::string& name,
                                       const std::string& script) {
    auto request = ContainerRequest(pod, name, {"/bin/sh", "-c", script});
    (*request.mutable_config()->mutable_labels())["which"] = name;
    request.mutable_config()->mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(
        64 << 20);
    auto container = Create(request);
    if (!container.ok()) return container;
    absl::Status started = Start(*container);
    if (!started.ok()) return started;
    return container;
  }
  cri::ContainerStats StatsOf(const std::string& container) {
    cri::ContainerStatsRequest request;
    request.set_container_id(container);
    auto response = cri().Call(&Runtime::ContainerStats, request, kPatience);
    EXPECT_THAT(response, IsOk());
    return response.ok() ? response->stats() : cri::ContainerStats();
  }
  std::vector<std::string> IdsOfStats(const cri::ListContainerStatsRequest& request) {
    auto response = cri().Call(&Runtime::ListContainerStats, request, kPatience);
    EXPECT_THAT(response, IsOk());
    std::vector<std::string> ids;
    if (response.ok()) {
      for (const auto& stats : response->stats()) ids.push_back(stats.attributes().id());
    }
    return ids;
  }
  std::shared_ptr<grpc::Channel> Channel() {
    return grpc::CreateChannel("unix:" + node().run_dir() + "/cri.sock",
                               grpc::InsecureChannelCredentials());
  }
};

TEST_F(Observe, AContainersUseOfResources) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto busy =
      StartOne(*pod, "busy", "dd if=/dev/zero of=/file bs=1M count=5; sync; while :; do :; done");
  ASSERT_THAT(busy, IsOk());
  auto idle = StartOne(*pod, "idle", "sleep 1000");
  ASSERT_THAT(idle, IsOk());
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return StatsOf(*busy).cpu().usage_core_nano_seconds().value() > 500000000;
  }));
  absl::SleepFor(absl::Milliseconds(1200));
  const cri::ContainerStats stats = StatsOf(*busy);
  EXPECT_EQ(stats.attributes().metadata().name(), "busy");
  EXPECT_GT(stats.cpu().usage_nano_cores().value(), 50000000u) << "of a busy loop";
  EXPECT_GT(stats.memory().usage_bytes().value(), 0u);
  EXPECT_GT(stats.memory().working_set_bytes().value(), 0u);
  EXPECT_GT(stats.memory().page_faults().value(), 0u);
  EXPECT_LE(stats.memory().available_bytes().value(), 64u << 20);
  EXPECT_GT(stats.memory().available_bytes().value(), 32u << 20);
  EXPECT_EQ(stats.writable_layer().fs_id().mountpoint(), node().root_dir());
  EXPECT_LT(StatsOf(*idle).cpu().usage_nano_cores().value(),
            stats.cpu().usage_nano_cores().value());
  // Counted every ten seconds.
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] {
    return StatsOf(*busy).writable_layer().used_bytes().value() >= 5u << 20;
  }));
  auto info = cri().Call(&Image::ImageFsInfo, cri::ImageFsInfoRequest(), kPatience);
  ASSERT_THAT(info, IsOk());
  EXPECT_GE(info->container_filesystems(0).used_bytes().value(), 5u << 20);
  RemoveAll();
}

TEST_F(Observe, MetricsTellWhatAContainerHasOpen) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  // Of a user of its own: its descriptors are nobody else's to list.
  auto request = ContainerRequest(
      *pod, "main",
      {"/bin/sh", "-c",
       "for i in 11 12 13 14 15 16 17 18 19 20; do eval \"exec $i</dev/null\"; done; "
       "nc -l -p 47123 & nc -l -p 47124 & while :; do sleep 1; done"});
  request.mutable_config()
      ->mutable_linux()
      ->mutable_security_context()
      ->mutable_run_as_user()
      ->set_value(4711);
  auto container = Create(request);
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  auto idle = StartOne(*pod, "idle", "exec sleep 1000");
  ASSERT_THAT(idle, IsOk());
  std::map<std::string, std::map<std::string, uint64_t>> values;
  const auto look = [&] {
    auto metrics =
        cri().Call(&Runtime::ListPodSandboxMetrics, cri::ListPodSandboxMetricsRequest(), kPatience);
    EXPECT_THAT(metrics, IsOk());
    values.clear();
    if (!metrics.ok()) return;
    for (const auto& one : metrics->pod_metrics(0).container_metrics()) {
      for (const auto& metric : one.metrics()) {
        values[one.container_id()][metric.name()] = metric.value().value();
      }
    }
  };
  EXPECT_TRUE(Eventually(kPatience, [&] {
    look();
    return values[*container]["container_sockets"] == 2;
  })) << values[*container]["container_sockets"];
  // Ten of each of the shell, nc twice, and sleep; and the standard streams.
  EXPECT_GE(values[*container]["container_file_descriptors"], 30u);
  EXPECT_LT(values[*container]["container_file_descriptors"], 80u);
  ASSERT_TRUE(values[*idle].contains("container_sockets"));
  EXPECT_EQ(values[*idle]["container_sockets"], 0u);
  EXPECT_EQ(values[*idle]["container_file_descriptors"], 3u) << "the standard streams";
  RemoveAll();
}

TEST_F(Observe, ListsOfStatisticsAreFiltered) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto other = RunPod(PodRequest("other"));
  ASSERT_THAT(other, IsOk());
  auto one = StartOne(*pod, "one", "sleep 1000");
  auto two = StartOne(*pod, "two", "exit 0");
  auto three = StartOne(*other, "three", "sleep 1000");
  ASSERT_THAT(one, IsOk());
  ASSERT_THAT(two, IsOk());
  ASSERT_THAT(three, IsOk());
  ASSERT_THAT(AwaitExit(*two), IsOk());
  cri::ListContainerStatsRequest request;
  EXPECT_THAT(IdsOfStats(request), UnorderedElementsAre(*one, *two, *three));
  request.mutable_filter()->set_pod_sandbox_id(*pod);
  EXPECT_THAT(IdsOfStats(request), UnorderedElementsAre(*one, *two));
  (*request.mutable_filter()->mutable_label_selector())["which"] = "one";
  EXPECT_THAT(IdsOfStats(request), ElementsAre(*one));
  request.mutable_filter()->set_id(std::string(64, '0'));
  EXPECT_THAT(IdsOfStats(request), ElementsAre());
  // What has ended uses nothing any more but the disk.
  EXPECT_FALSE(StatsOf(*two).has_cpu());
  EXPECT_TRUE(StatsOf(*two).has_writable_layer());
  cri::ContainerStatsRequest unknown;
  unknown.set_container_id(std::string(64, '0'));
  EXPECT_TRUE(absl::IsNotFound(cri().Call(&Runtime::ContainerStats, unknown, kPatience).status()));
  RemoveAll();
}

TEST_F(Observe, StreamedListsHoldWhatListsHold) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto one = StartOne(*pod, "one", "sleep 1000");
  ASSERT_THAT(one, IsOk());
  auto stub = cri::RuntimeService::NewStub(Channel());
  {
    grpc::ClientContext context;
    auto reader = stub->StreamPodSandboxes(&context, cri::StreamPodSandboxesRequest());
    cri::StreamPodSandboxesResponse part;
    ASSERT_TRUE(reader->Read(&part));
    ASSERT_THAT(part.pod_sandboxes(), SizeIs(1));
    EXPECT_EQ(part.pod_sandboxes(0).id(), *pod);
    EXPECT_FALSE(reader->Read(&part));
    EXPECT_TRUE(reader->Finish().ok());
  }
  {
    grpc::ClientContext context;
    auto reader = stub->StreamPodSandboxStats(&context, cri::StreamPodSandboxStatsRequest());
    cri::StreamPodSandboxStatsResponse part;
    ASSERT_TRUE(reader->Read(&part));
    ASSERT_THAT(part.pod_sandbox_stats(), SizeIs(1));
    EXPECT_THAT(part.pod_sandbox_stats(0).linux().containers(), SizeIs(1));
    EXPECT_FALSE(reader->Read(&part));
    EXPECT_TRUE(reader->Finish().ok());
  }
  auto images = cri::ImageService::NewStub(Channel());
  grpc::ClientContext context;
  auto reader = images->StreamImages(&context, cri::StreamImagesRequest());
  cri::StreamImagesResponse part;
  ASSERT_TRUE(reader->Read(&part));
  EXPECT_THAT(part.images(), SizeIs(1));
  EXPECT_FALSE(reader->Read(&part));
  RemoveAll();
}

// --- Events ---

struct Seen {
  cri::ContainerEventType type;
  std::string id;
  bool operator==(const Seen&) const = default;
  friend void PrintTo(const Seen& seen, std::ostream* out) {
    *out << cri::ContainerEventType_Name(seen.type) << " " << seen.id;
  }
};

class Events : public Observe {
 protected:
  class Stream {
   public:
    explicit Stream(const std::shared_ptr<grpc::Channel>& channel)
        : stub_(cri::RuntimeService::NewStub(channel)) {
      context_.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
      context_.set_wait_for_ready(true);
      reader_ = stub_->GetContainerEvents(&context_, cri::GetEventsRequest());
    }
    ~Stream() { context_.TryCancel(); }
    // The next event; its time is after that of the one before. False: the stream has ended.
    bool Next() {
      cri::ContainerEventResponse event;
      if (!reader_->Read(&event)) return false;
      EXPECT_GT(event.created_at(), event_.created_at());
      event_ = std::move(event);
      return true;
    }
    Seen NextOne() {
      if (!Next()) return {};
      return {event_.container_event_type(), event_.container_id()};
    }
    const cri::ContainerEventResponse& event() const { return event_; }
    grpc::Status Finish() { return reader_->Finish(); }

   private:
    std::unique_ptr<cri::RuntimeService::Stub> stub_;
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<cri::ContainerEventResponse>> reader_;
    cri::ContainerEventResponse event_;
  };
};

constexpr auto kCreated = cri::CONTAINER_CREATED_EVENT;
constexpr auto kStarted = cri::CONTAINER_STARTED_EVENT;
constexpr auto kStopped = cri::CONTAINER_STOPPED_EVENT;
constexpr auto kDeleted = cri::CONTAINER_DELETED_EVENT;

TEST_F(Events, FirstWhatIsThereThenWhatHappensInOrder) {
  auto before = RunPod(PodRequest("before"));
  ASSERT_THAT(before, IsOk());
  auto old = StartOne(*before, "old", "sleep 1000");
  ASSERT_THAT(old, IsOk());

  Stream stream(Channel());
  EXPECT_EQ(stream.NextOne(), (Seen{kStarted, *before}));
  EXPECT_EQ(stream.NextOne(), (Seen{kStarted, *old}));
  EXPECT_EQ(stream.event().pod_sandbox_status().id(), *before);
  ASSERT_THAT(stream.event().containers_statuses(), SizeIs(1));
  EXPECT_EQ(stream.event().containers_statuses(0).state(), cri::CONTAINER_RUNNING);

  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  EXPECT_EQ(stream.NextOne(), (Seen{kCreated, *pod}));
  EXPECT_EQ(stream.NextOne(), (Seen{kStarted, *pod}));
  EXPECT_EQ(stream.event().pod_sandbox_status().state(), cri::SANDBOX_READY);
  auto container = StartOne(*pod, "main", "exit 7");
  ASSERT_THAT(container, IsOk());
  EXPECT_EQ(stream.NextOne(), (Seen{kCreated, *container}));
  EXPECT_EQ(stream.event().containers_statuses(0).state(), cri::CONTAINER_CREATED);
  EXPECT_EQ(stream.NextOne(), (Seen{kStarted, *container}));
  EXPECT_EQ(stream.NextOne(), (Seen{kStopped, *container}));
  EXPECT_EQ(stream.event().containers_statuses(0).exit_code(), 7);
  ASSERT_THAT(Remove(*container), IsOk());
  EXPECT_EQ(stream.NextOne(), (Seen{kDeleted, *container}));
  EXPECT_THAT(stream.event().containers_statuses(), SizeIs(0));
  ASSERT_THAT(StopPod(*pod), IsOk());
  EXPECT_EQ(stream.NextOne(), (Seen{kStopped, *pod}));
  EXPECT_EQ(stream.event().pod_sandbox_status().state(), cri::SANDBOX_NOTREADY);
  ASSERT_THAT(RemovePod(*pod), IsOk());
  EXPECT_EQ(stream.NextOne(), (Seen{kDeleted, *pod}));
  // A pod that is removed while its container runs.
  ASSERT_THAT(RemovePod(*before), IsOk());
  EXPECT_EQ(stream.NextOne(), (Seen{kStopped, *before}));
  EXPECT_EQ(stream.NextOne(), (Seen{kStopped, *old}));
  EXPECT_EQ(stream.NextOne(), (Seen{kDeleted, *old}));
  EXPECT_EQ(stream.NextOne(), (Seen{kDeleted, *before}));
}

TEST_F(Events, AfterARestartOfTheFrontendTheWholeStateIsToldAgain) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = StartOne(*pod, "main", "sleep 1000");
  ASSERT_THAT(container, IsOk());
  Stream first(Channel());
  EXPECT_EQ(first.NextOne(), (Seen{kStarted, *pod}));
  EXPECT_EQ(first.NextOne(), (Seen{kStarted, *container}));
  const pid_t frontend = node().Daemon("frontend");
  ASSERT_EQ(kill(frontend, SIGKILL), 0);
  EXPECT_FALSE(first.Next());
  EXPECT_FALSE(first.Finish().ok()) << "the client must hear of it";
  // Meanwhile it ends.
  ASSERT_TRUE(Eventually(kPatience, [&] { return Status(*container).ok(); }));
  EXPECT_THAT(Stop(*container, 0), IsOk());
  Stream second(Channel());
  EXPECT_EQ(second.NextOne(), (Seen{kStarted, *pod}));
  EXPECT_EQ(second.NextOne(), (Seen{kStopped, *container}));
  RemoveAll();
}

TEST_F(Events, AreForSoManyAtOnce) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 8; ++i) {
    streams.push_back(std::make_unique<Stream>(Channel()));
    EXPECT_EQ(streams.back()->NextOne(), (Seen{kStarted, *pod}));
  }
  Stream surplus(Channel());
  EXPECT_FALSE(surplus.Next());
  EXPECT_EQ(surplus.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  streams.clear();
  // Seen to be gone within a second.
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] {
    Stream again(Channel());
    return again.Next();
  }));
  RemoveAll();
}

class ObserveNetwork : public Observe {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.cni = true;
    return options;
  }
};

TEST_F(ObserveNetwork, APodsInterfacesAreCounted) {
  auto pod = RunPod(NetworkedPod("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = StartOne(*pod, "main", "sleep 1000");
  ASSERT_THAT(container, IsOk());
  cri::PodSandboxStatsRequest ask;
  ask.set_pod_sandbox_id(*pod);
  auto before = cri().Call(&Runtime::PodSandboxStats, ask, kPatience);
  ASSERT_THAT(before, IsOk());
  const auto& network = before->stats().linux().network();
  EXPECT_EQ(network.default_interface().name(), "eth0");
  EXPECT_THAT(network.interfaces(), SizeIs(0)) << "no loopback";
  EXPECT_GE(before->stats().linux().process().process_count().value(), 1u);
  ASSERT_THAT(before->stats().linux().containers(), SizeIs(1));
  EXPECT_EQ(before->stats().linux().containers(0).attributes().id(), *container);
  ASSERT_THAT(
      Exec(*container,
           {"/bin/sh", "-c", "for i in 1 2 3; do echo x | nc -u -w 1 10.123.45.1 9; done; true"}),
      IsOk());
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] {
    auto after = cri().Call(&Runtime::PodSandboxStats, ask, kPatience);
    return after.ok() && after->stats().linux().network().default_interface().tx_bytes().value() >
                             network.default_interface().tx_bytes().value();
  }));
  // The pod's network must go with it: the fixture looks.
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
