// Requests on the wire: gRPC in, Cap'n Proto out.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cri/v1/api.grpc.pb.h"
#include "frontend/testing/harness.h"

namespace bulkhead::frontend {
namespace {

const std::string kPodId(64, 'a');
const std::string kContainerId(64, 'c');

v1::RunPodSandboxRequest PodRequest() {
  v1::RunPodSandboxRequest request;
  v1::PodSandboxMetadata* metadata = request.mutable_config()->mutable_metadata();
  metadata->set_name("web");
  metadata->set_namespace_("default");
  metadata->set_uid("u1");
  return request;
}

v1::CreateContainerRequest ContainerRequest() {
  v1::CreateContainerRequest request;
  request.set_pod_sandbox_id(kPodId);
  request.mutable_config()->mutable_metadata()->set_name("app");
  request.mutable_config()->mutable_image()->set_image("busybox:1");
  return request;
}

bool Eventually(const std::function<bool()>& what) {
  const absl::Time end = absl::Now() + absl::Seconds(10);
  while (absl::Now() < end) {
    if (what()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

class Wire : public ::testing::Test {
 protected:
  Wire()
      : runtime_(v1::RuntimeService::NewStub(harness_.Connect())),
        images_(v1::ImageService::NewStub(harness_.Connect())) {}

  Harness harness_;
  std::unique_ptr<v1::RuntimeService::Stub> runtime_;
  std::unique_ptr<v1::ImageService::Stub> images_;
};

#define RUNTIME(Name, request, response)                \
  [&] {                                                 \
    grpc::ClientContext context;                        \
    return runtime_->Name(&context, request, response); \
  }()
#define IMAGES(Name, request, response)                \
  [&] {                                                \
    grpc::ClientContext context;                       \
    return images_->Name(&context, request, response); \
  }()

TEST_F(Wire, APodGoesThroughTyped) {
  v1::RunPodSandboxResponse response;
  const grpc::Status status = RUNTIME(RunPodSandbox, PodRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(kPodId, response.pod_sandbox_id());
  const std::string params = harness_.broker().LastParams("runPodSandbox");
  EXPECT_TRUE(absl::StrContains(params, "name = \"web\"")) << params;
  EXPECT_TRUE(absl::StrContains(params, "namespace = \"default\"")) << params;
}

TEST_F(Wire, ABadRequestNeverReachesTheBroker) {
  v1::RunPodSandboxRequest request = PodRequest();
  request.mutable_config()->set_log_directory("/var/log/../../etc");
  v1::RunPodSandboxResponse response;
  const grpc::Status status = RUNTIME(RunPodSandbox, request, &response);
  EXPECT_EQ(grpc::StatusCode::INVALID_ARGUMENT, status.error_code());
  EXPECT_EQ("config.log_directory: path holds \"..\"", status.error_message());
  EXPECT_EQ(0, harness_.broker().Calls("runPodSandbox"));
}

TEST_F(Wire, TheBrokersWordIsPassedOn) {
  harness_.broker().answers.code = 9;
  harness_.broker().answers.message = "run pod: no network configuration";
  v1::RunPodSandboxResponse response;
  const grpc::Status status = RUNTIME(RunPodSandbox, PodRequest(), &response);
  EXPECT_EQ(grpc::StatusCode::FAILED_PRECONDITION, status.error_code());
  EXPECT_EQ("run pod: no network configuration", status.error_message());
  EXPECT_EQ(1u, harness_.counts().Read().at("RunPodSandbox").failed);
}

TEST_F(Wire, WhatIsGoneIsStoppedAndRemoved) {
  harness_.broker().answers.code = 5;
  v1::StopPodSandboxRequest stop_pod;
  v1::StopPodSandboxResponse stop_pod_response;
  v1::RemoveContainerRequest remove;
  v1::RemoveContainerResponse remove_response;
  for (const std::string& id : {kPodId, std::string("gone"), std::string("../x")}) {
    stop_pod.set_pod_sandbox_id(id);
    EXPECT_TRUE(RUNTIME(StopPodSandbox, stop_pod, &stop_pod_response).ok()) << id;
    remove.set_container_id(id);
    EXPECT_TRUE(RUNTIME(RemoveContainer, remove, &remove_response).ok()) << id;
  }
  // No id at all would fit every pod.
  stop_pod.set_pod_sandbox_id("");
  EXPECT_EQ(grpc::StatusCode::INVALID_ARGUMENT,
            RUNTIME(StopPodSandbox, stop_pod, &stop_pod_response).error_code());
  v1::StartContainerRequest start;
  v1::StartContainerResponse start_response;
  start.set_container_id("gone");
  EXPECT_EQ(grpc::StatusCode::NOT_FOUND,
            RUNTIME(StartContainer, start, &start_response).error_code());
  EXPECT_EQ(1, harness_.broker().Calls("stopPodSandbox"));
}

TEST_F(Wire, AFilterThatFitsNothingIsNoError) {
  v1::ListPodSandboxRequest request;
  v1::ListPodSandboxResponse response;
  EXPECT_TRUE(RUNTIME(ListPodSandbox, request, &response).ok());
  EXPECT_EQ(1, response.items_size());
  request.mutable_filter()->set_id("no-hex");
  response.Clear();
  EXPECT_TRUE(RUNTIME(ListPodSandbox, request, &response).ok());
  EXPECT_EQ(0, response.items_size());
  request.mutable_filter()->set_id("ab");
  harness_.broker().answers.code = 5;
  EXPECT_TRUE(RUNTIME(ListPodSandbox, request, &response).ok());
  EXPECT_EQ(0, response.items_size());
}

TEST_F(Wire, AnImageIsNamedInOneWay) {
  v1::CreateContainerResponse response;
  ASSERT_TRUE(RUNTIME(CreateContainer, ContainerRequest(), &response).ok());
  EXPECT_TRUE(absl::StrContains(harness_.broker().LastParams("createContainer"),
                                "image = \"docker.io/library/busybox:1\""));
  EXPECT_EQ(0, harness_.broker().Calls("imageStatus"));

  // "cafe" may be a name or the beginning of an id: the store is asked.
  v1::CreateContainerRequest request = ContainerRequest();
  request.mutable_config()->mutable_image()->set_image("cafe");
  EXPECT_EQ(grpc::StatusCode::NOT_FOUND, RUNTIME(CreateContainer, request, &response).error_code());
  harness_.broker().answers.known_image = "cafe";
  ASSERT_TRUE(RUNTIME(CreateContainer, request, &response).ok());
  EXPECT_TRUE(
      absl::StrContains(harness_.broker().LastParams("createContainer"), "image = \"cafe\""));
}

TEST_F(Wire, APullGivesTheImagesId) {
  v1::PullImageRequest request;
  v1::PullImageResponse response;
  request.mutable_image()->set_image("busybox:1@sha256:" + std::string(64, 'b'));
  request.mutable_auth();
  ASSERT_TRUE(IMAGES(PullImage, request, &response).ok());
  EXPECT_EQ(harness_.broker().answers.image_id, response.image_ref());
  // The tag must not come to name what the digest names.
  EXPECT_FALSE(absl::StrContains(harness_.broker().LastParams("pullImage"), "tag = \"1\""))
      << harness_.broker().LastParams("pullImage");
}

TEST_F(Wire, APullCarriesItsCredentials) {
  v1::PullImageRequest request;
  v1::PullImageResponse response;
  request.mutable_image()->set_image("r.example/a:1");
  // Whoever wrote the pod wrote these: they change nothing.
  (*request.mutable_image()->mutable_annotations())["org.example/\x01"] = "../\n$(x)";
  request.mutable_image()->set_runtime_handler("../x");
  request.mutable_auth()->set_auth("dXNlcjpwYTpzcw==");
  request.mutable_auth()->set_server_address("https://R.example/v1/");
  ASSERT_TRUE(IMAGES(PullImage, request, &response).ok());
  std::string params = harness_.broker().LastParams("pullImage");
  EXPECT_TRUE(absl::StrContains(params, "username = \"user\", password = \"pa:ss\"")) << params;
  EXPECT_TRUE(absl::StrContains(params, "server = \"r.example\"")) << params;
  EXPECT_FALSE(absl::StrContains(params, "org.example")) << params;

  request.mutable_auth()->set_identity_token("id");
  ASSERT_TRUE(IMAGES(PullImage, request, &response).ok());
  params = harness_.broker().LastParams("pullImage");
  EXPECT_TRUE(absl::StrContains(params, "identityToken = \"id\"")) << params;
  EXPECT_FALSE(absl::StrContains(params, "pa:ss")) << params;
}

TEST_F(Wire, MalformedCredentialsAreNotRepeated) {
  v1::PullImageRequest request;
  v1::PullImageResponse response;
  request.mutable_image()->set_image("r.example/a:1");
  for (const char* auth : {"S3CRET!", "UzNDUkVU", ""}) {
    request.mutable_auth()->set_auth(auth);
    if (*auth == 0) request.mutable_auth()->set_registry_token("S3CRET\n");
    const grpc::Status status = IMAGES(PullImage, request, &response);
    EXPECT_EQ(grpc::StatusCode::INVALID_ARGUMENT, status.error_code());
    EXPECT_TRUE(absl::StrContains(status.error_message(), "auth.")) << status.error_message();
    EXPECT_FALSE(absl::StrContains(status.error_message(), "S3CRET")) << status.error_message();
  }
}

TEST_F(Wire, AMissingImageIsAnEmptyAnswer) {
  v1::ImageStatusRequest request;
  v1::ImageStatusResponse response;
  request.mutable_image()->set_image("busybox");
  EXPECT_TRUE(IMAGES(ImageStatus, request, &response).ok());
  EXPECT_FALSE(response.has_image());
  harness_.broker().answers.known_image = "docker.io/library/busybox:latest";
  request.set_verbose(true);
  EXPECT_TRUE(IMAGES(ImageStatus, request, &response).ok());
  EXPECT_EQ(1000, response.image().uid().value());
  EXPECT_TRUE(absl::StrContains(response.info().at("info"), "\"User\":\"1000:5\""));
}

TEST_F(Wire, StatusTellsConditionsHandlersAndCounts) {
  v1::StatusRequest request;
  v1::StatusResponse response;
  request.set_verbose(true);
  ASSERT_TRUE(RUNTIME(Status, request, &response).ok());
  response.Clear();
  ASSERT_TRUE(RUNTIME(Status, request, &response).ok());
  ASSERT_EQ(2, response.status().conditions_size());
  EXPECT_EQ("RuntimeReady", response.status().conditions(0).type());
  EXPECT_TRUE(response.status().conditions(0).status());
  EXPECT_EQ("NetworkReady", response.status().conditions(1).type());
  EXPECT_FALSE(response.status().conditions(1).status());
  EXPECT_EQ("no CNI configuration", response.status().conditions(1).message());
  ASSERT_EQ(2, response.runtime_handlers_size());
  EXPECT_EQ("crun", response.runtime_handlers(1).name());
  EXPECT_TRUE(absl::StrContains(response.info().at("config"), "\"Status\":{\"calls\":1"))
      << response.info().at("config");
}

TEST_F(Wire, VersionAndRuntimeConfigComeFromHere) {
  v1::VersionResponse version;
  ASSERT_TRUE(RUNTIME(Version, v1::VersionRequest(), &version).ok());
  EXPECT_EQ("0.1.0", version.version());
  EXPECT_EQ("bulkhead", version.runtime_name());
  EXPECT_EQ("v1", version.runtime_api_version());
  v1::RuntimeConfigResponse config;
  ASSERT_TRUE(RUNTIME(RuntimeConfig, v1::RuntimeConfigRequest(), &config).ok());
  EXPECT_EQ(v1::CGROUPFS, config.linux().cgroup_driver());
  v1::UpdateRuntimeConfigResponse updated;
  EXPECT_TRUE(RUNTIME(UpdateRuntimeConfig, v1::UpdateRuntimeConfigRequest(), &updated).ok());
}

// --- Limits ---

TEST_F(Wire, ARequestJustUnderTheBrokersLimitPassesItsGate) {
  v1::CreateContainerRequest request = ContainerRequest();
  request.mutable_config()->add_args(std::string(1'000'000, 'x'));
  v1::CreateContainerResponse response;
  const grpc::Status status = RUNTIME(CreateContainer, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(harness_.broker().violated());
}

TEST_F(Wire, ARequestOverTheBrokersLimitIsRefusedAndTheNextWorks) {
  v1::CreateContainerRequest request = ContainerRequest();
  request.mutable_config()->add_args(std::string(600'000, 'x'));
  v1::KeyValue* env = request.mutable_config()->add_envs();
  env->set_key("K");
  env->set_value(std::string(600'000, 'y'));
  v1::CreateContainerResponse response;
  const grpc::Status status = RUNTIME(CreateContainer, request, &response);
  EXPECT_EQ(grpc::StatusCode::RESOURCE_EXHAUSTED, status.error_code()) << status.error_message();
  EXPECT_EQ(0, harness_.broker().Calls("createContainer"));
  EXPECT_TRUE(RUNTIME(CreateContainer, ContainerRequest(), &response).ok());
}

TEST_F(Wire, AMessageOver16MiBIsRefusedByGrpc) {
  v1::CreateContainerRequest request = ContainerRequest();
  request.mutable_config()->add_args(std::string((16 << 20) + 1, 'x'));
  v1::CreateContainerResponse response;
  const grpc::Status status = RUNTIME(CreateContainer, request, &response);
  EXPECT_EQ(grpc::StatusCode::RESOURCE_EXHAUSTED, status.error_code()) << status.error_message();
  EXPECT_TRUE(RUNTIME(CreateContainer, ContainerRequest(), &response).ok());
}

TEST_F(Wire, MetadataOver16KiBIsRefused) {
  grpc::ClientContext context;
  context.AddMetadata("x-big", std::string(64 << 10, 'x'));
  v1::VersionResponse response;
  const grpc::Status status = runtime_->Version(&context, v1::VersionRequest(), &response);
  EXPECT_FALSE(status.ok());
  // gRPC may have closed the connection.
  EXPECT_TRUE(Eventually([&] { return RUNTIME(Version, v1::VersionRequest(), &response).ok(); }));
}

TEST_F(Wire, OutputOfAnExecFitsOneAnswer) {
  harness_.broker().answers.stdout_bytes = 10 << 20;
  harness_.broker().answers.stderr_bytes = 10 << 20;
  v1::ExecSyncRequest request;
  request.set_container_id(kContainerId);
  request.add_cmd("cat");
  v1::ExecSyncResponse response;
  const grpc::Status status = RUNTIME(ExecSync, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(10u << 20, response.stdout().size());
  EXPECT_LT(5u << 20, response.stderr().size());
  EXPECT_EQ(3, response.exit_code());
}

TEST_F(Wire, ExecNeedsACommand) {
  v1::ExecSyncRequest request;
  request.set_container_id(kContainerId);
  v1::ExecSyncResponse response;
  EXPECT_EQ("cmd: must not be empty", RUNTIME(ExecSync, request, &response).error_message());
  request.add_cmd("x");
  request.set_timeout(-1);
  EXPECT_EQ("timeout: must not be negative", RUNTIME(ExecSync, request, &response).error_message());
}

// --- Time and loss ---

v1::ExecSyncRequest HangingExec() {
  v1::ExecSyncRequest request;
  request.set_container_id(kContainerId);
  request.add_cmd("hang");
  return request;
}

TEST_F(Wire, TheClientsDeadlineFreesTheThread) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  v1::ExecSyncResponse response;
  const grpc::Status status = runtime_->ExecSync(&context, HangingExec(), &response);
  EXPECT_EQ(grpc::StatusCode::DEADLINE_EXCEEDED, status.error_code());
  EXPECT_TRUE(Eventually([&] { return harness_.counts().Read()["ExecSync"].failed == 1; }));
  v1::VersionResponse version;
  EXPECT_TRUE(RUNTIME(Version, v1::VersionRequest(), &version).ok());
}

TEST_F(Wire, WhenTheBrokerDiesCallsUnderWayAreUnavailable) {
  grpc::Status status;
  std::thread caller([&] {
    v1::ExecSyncResponse response;
    status = RUNTIME(ExecSync, HangingExec(), &response);
  });
  ASSERT_TRUE(Eventually([&] { return harness_.broker().Calls("execSync") == 1; }));
  EXPECT_FALSE(harness_.broker_lost());
  harness_.broker().Die();
  caller.join();
  EXPECT_EQ(grpc::StatusCode::UNAVAILABLE, status.error_code()) << status.error_message();
  EXPECT_TRUE(Eventually([&] { return harness_.broker_lost(); }));
  v1::StatusResponse response;
  EXPECT_EQ(grpc::StatusCode::UNAVAILABLE,
            RUNTIME(Status, v1::StatusRequest(), &response).error_code());
}

TEST_F(Wire, ManyCallsAtOnceGetTheirOwnAnswers) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 20; ++j) {
        v1::ContainerStatusRequest request;
        request.set_container_id(absl::StrCat(absl::Hex(0x1000 + 100 * i + j)));
        v1::ContainerStatusResponse response;
        const grpc::Status status = RUNTIME(ContainerStatus, request, &response);
        if (status.ok() && response.status().id() == request.container_id()) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(32 * 20, good);
}

// --- Use of resources, and events ---

TEST_F(Wire, StatisticsSayWhatTheKernelSaidAndNoMore) {
  v1::ListContainerStatsResponse response;
  ASSERT_TRUE(RUNTIME(ListContainerStats, v1::ListContainerStatsRequest(), &response).ok());
  ASSERT_EQ(1, response.stats_size());
  const v1::ContainerStats& stats = response.stats(0);
  EXPECT_EQ("main", stats.attributes().metadata().name());
  EXPECT_EQ(5000000000u, stats.cpu().usage_core_nano_seconds().value());
  EXPECT_EQ(250000000u, stats.cpu().usage_nano_cores().value());
  EXPECT_EQ(2500000u, stats.cpu().psi().some().total());
  EXPECT_EQ(70u, stats.memory().working_set_bytes().value());
  EXPECT_EQ(130u, stats.memory().available_bytes().value());
  EXPECT_EQ(9u, stats.memory().page_faults().value());
  EXPECT_EQ(4096u, stats.writable_layer().used_bytes().value());
  // Not asked of this kernel: absent, not 0.
  EXPECT_FALSE(stats.memory().has_rss_bytes());
  EXPECT_FALSE(stats.memory().has_psi());
  EXPECT_FALSE(stats.swap().has_swap_usage_bytes());
}

TEST_F(Wire, PodStatisticsTellTheInterfacesApart) {
  v1::PodSandboxStatsRequest request;
  v1::PodSandboxStatsResponse response;
  EXPECT_EQ(grpc::StatusCode::INVALID_ARGUMENT,
            RUNTIME(PodSandboxStats, request, &response).error_code())
      << "kubelet asks so whether statistics are there";
  request.set_pod_sandbox_id(std::string(64, 'a'));
  ASSERT_TRUE(RUNTIME(PodSandboxStats, request, &response).ok());
  const v1::LinuxPodSandboxStats& stats = response.stats().linux();
  EXPECT_EQ("eth0", stats.network().default_interface().name());
  EXPECT_EQ(12u, stats.network().default_interface().rx_bytes().value());
  ASSERT_EQ(1, stats.network().interfaces_size());
  EXPECT_EQ("net1", stats.network().interfaces(0).name());
  EXPECT_EQ(4u, stats.process().process_count().value());
  EXPECT_EQ(1, stats.containers_size());
}

TEST_F(Wire, EveryMetricIsAsItsDescriptorSays) {
  v1::ListMetricDescriptorsResponse descriptors;
  ASSERT_TRUE(
      RUNTIME(ListMetricDescriptors, v1::ListMetricDescriptorsRequest(), &descriptors).ok());
  std::map<std::string, int> labels;
  for (const auto& one : descriptors.descriptors()) {
    EXPECT_TRUE(labels.emplace(one.name(), one.label_keys_size()).second) << one.name();
    EXPECT_FALSE(one.help().empty()) << one.name();
  }
  v1::ListPodSandboxMetricsResponse metrics;
  ASSERT_TRUE(RUNTIME(ListPodSandboxMetrics, v1::ListPodSandboxMetricsRequest(), &metrics).ok());
  ASSERT_EQ(1, metrics.pod_metrics_size());
  const auto& pod = metrics.pod_metrics(0);
  EXPECT_EQ(2 * 8, pod.metrics_size());
  ASSERT_EQ(1, pod.container_metrics_size());
  std::map<std::string, uint64_t> values;
  for (const auto& metric : pod.container_metrics(0).metrics()) {
    ASSERT_TRUE(labels.contains(metric.name())) << metric.name();
    EXPECT_EQ(labels[metric.name()], metric.label_values_size()) << metric.name();
    values[metric.name()] = metric.value().value();
  }
  EXPECT_EQ(5u, values["container_cpu_usage_seconds_total"]);
  EXPECT_EQ(2u, values["container_pressure_cpu_waiting_seconds_total"]);
  EXPECT_EQ(1000u, values["container_fs_limit_bytes"]);
  EXPECT_EQ(3u, values["container_sockets"]) << "the broker must be asked for it";
  EXPECT_FALSE(values.contains("container_file_descriptors")) << "could not be counted";
  EXPECT_FALSE(values.contains("container_memory_rss")) << "the kernel did not say";
}

TEST_F(Wire, EventsComeInOrderAndALossIsTold) {
  auto stub = v1::RuntimeService::NewStub(harness_.Connect());
  grpc::ClientContext context;
  auto reader = stub->GetContainerEvents(&context, v1::GetEventsRequest());
  v1::ContainerEventResponse event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(v1::CONTAINER_STARTED_EVENT, event.container_event_type());
  EXPECT_EQ(std::string(64, 'c'), event.container_id());
  EXPECT_EQ(std::string(64, 'a'), event.pod_sandbox_status().id());
  ASSERT_EQ(1, event.containers_statuses_size());
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(v1::CONTAINER_DELETED_EVENT, event.container_event_type());
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(grpc::StatusCode::DATA_LOSS, reader->Finish().error_code());
}

TEST_F(Wire, AStreamedListHasTheListsEntries) {
  auto stub = v1::RuntimeService::NewStub(harness_.Connect());
  grpc::ClientContext context;
  v1::StreamContainersRequest request;
  request.mutable_filter()->set_id("cc");
  auto reader = stub->StreamContainers(&context, request);
  v1::StreamContainersResponse part;
  ASSERT_TRUE(reader->Read(&part));
  ASSERT_EQ(1, part.containers_size());
  EXPECT_EQ(std::string(64, 'c'), part.containers(0).id());
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(absl::StrContains(harness_.broker().LastParams("listContainers"), "id = \"cc\""));
}

// --- Every RPC of the interface ---

const std::set<std::string>& LaterRpcs() {
  static const std::set<std::string> names = {"CheckpointContainer", "CheckpointPod", "RestorePod"};
  return names;
}

grpc::Status CallWithEmptyRequest(const std::shared_ptr<grpc::Channel>& channel,
                                  const std::string& path) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer request(static_cast<const grpc::Slice*>(nullptr), 0);
  grpc::ByteBuffer response;
  grpc::Status status;
  // As a stream, which an RPC with one answer is too: some answer with many.
  auto call = stub.PrepareCall(&context, path, &queue);
  void* tag = nullptr;
  bool ok = false;
  const auto done = [&] { return queue.Next(&tag, &ok) && ok; };
  call->StartCall(nullptr);
  if (done()) {
    call->WriteLast(request, grpc::WriteOptions(), nullptr);
    if (done()) {
      do call->Read(&response, nullptr);
      while (done());
    }
  }
  call->Finish(&status, nullptr);
  done();
  return status;
}

TEST_F(Wire, EveryRpcIsThereOrSaysThatItIsNot) {
  std::set<std::string> later;
  int rpcs = 0;
  for (const auto* service : {runtime::v1::VersionRequest::descriptor()->file()->service(0),
                              runtime::v1::VersionRequest::descriptor()->file()->service(1)}) {
    for (int i = 0; i < service->method_count(); ++i, ++rpcs) {
      const std::string name = service->method(i)->name();
      const grpc::Status status = CallWithEmptyRequest(
          harness_.Connect(), absl::StrCat("/", service->full_name(), "/", name));
      if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
        later.insert(name);
        EXPECT_EQ(name + " is not implemented yet", status.error_message());
      }
      EXPECT_NE(grpc::StatusCode::INTERNAL, status.error_code()) << name;
      EXPECT_NE(grpc::StatusCode::DEADLINE_EXCEEDED, status.error_code()) << name;
    }
  }
  EXPECT_EQ(43, rpcs);
  EXPECT_EQ(LaterRpcs(), later);
}

}  // namespace
}  // namespace bulkhead::frontend
