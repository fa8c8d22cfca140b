#include "tests/support/fixture.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "tests/support/isolation.h"
#include "tests/support/proc.h"
#include "tools/client/admin.h"
#include "tools/client/log_follower.h"

namespace bulkhead::test {

using Runtime = tools::CriClient::Runtime;
using Image = tools::CriClient::Image;

void NodeTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start a runtime";
  absl::Status isolated = EnterPrivateNamespaces();
  ASSERT_TRUE(isolated.ok()) << isolated;
  node_ = std::make_unique<Node>(Options());
  absl::Status up = node_->Up();
  ASSERT_TRUE(up.ok()) << up;
  Output imported = node_->Import(kImage);
  ASSERT_EQ(imported.code, 0) << imported.err << node_->Log();
  TakeBaseline();
}

void NodeTest::TakeBaseline() {
  // The workers of what was done before are about to go.
  EXPECT_TRUE(Eventually(kPatience, [this] {
    absl::StatusOr<tools::AdminCounts> counts = tools::AdminStatus(node().admin_socket());
    return counts.ok() && counts->workers == 0;
  }));
  // And their cgroups after them.
  EXPECT_TRUE(Eventually(kPatience, [this] {
    const Snapshot last = std::exchange(baseline_, TakeSnapshot(node())).value_or(Snapshot());
    return last == *baseline_;
  }));
}

void NodeTest::ImportImage(const std::string& name, std::vector<std::string> options) {
  Output imported = node().Import(name, std::move(options));
  ASSERT_EQ(imported.code, 0) << imported.err;
  imported_.push_back(name);
}

void NodeTest::RemoveImported() {
  for (const std::string& name : imported_) {
    cri::RemoveImageRequest request;
    request.mutable_image()->set_image(name);
    EXPECT_THAT(cri().Call(&Image::RemoveImage, request, kPatience), IsOk());
  }
}

void NodeTest::TearDown() {
  if (node_ == nullptr) return;
  RemoveImported();
  if (baseline_) {
    EXPECT_EQ(AwaitSnapshot(node(), *baseline_), "") << "left behind by the test";
  }
  if (node_->up().running()) {
    absl::StatusOr<int> code = node_->Down();
    EXPECT_TRUE(code.ok() && *code == 0) << "bulkhead up did not end well: " << code.status();
  }
  node_->StopRegistry();
  bool all_ended = Eventually(absl::Seconds(10), [] {
    ReapOrphans();
    return Descendants(getpid()).empty();
  });
  EXPECT_TRUE(all_ended || HasFailure()) << "a process outlived bulkhead up";
  if (HasFailure()) std::cerr << "--- log of the node ---\n" << node_->Log() << std::endl;
  node_.reset();
  RemoveTestCgroup();
}

cri::RunPodSandboxRequest NodeTest::PodRequest(const std::string& name) {
  cri::RunPodSandboxRequest request;
  cri::PodSandboxConfig& config = *request.mutable_config();
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_uid(base::NewId().substr(0, 32));
  config.mutable_metadata()->set_namespace_("test");
  config.set_log_directory(node().log_dir());
  config.mutable_linux()->set_cgroup_parent(TestCgroup());
  cri::NamespaceOption& namespaces =
      *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  namespaces.set_network(cri::NODE);
  namespaces.set_pid(cri::CONTAINER);
  return request;
}

cri::RunPodSandboxRequest NodeTest::NetworkedPod(const std::string& name) {
  cri::RunPodSandboxRequest request = PodRequest(name);
  request.mutable_config()
      ->mutable_linux()
      ->mutable_security_context()
      ->mutable_namespace_options()
      ->set_network(cri::POD);
  return request;
}

absl::StatusOr<std::string> NodeTest::RunPod(const cri::RunPodSandboxRequest& request) {
  BULKHEAD_ASSIGN_OR_RETURN(cri::RunPodSandboxResponse response,
                            cri().Call(&Runtime::RunPodSandbox, request, kPatience));
  pods_.push_back(request.config());
  pod_ids_.push_back(response.pod_sandbox_id());
  return response.pod_sandbox_id();
}

cri::CreateContainerRequest NodeTest::ContainerRequest(const std::string& pod,
                                                       const std::string& name,
                                                       std::vector<std::string> command) {
  cri::CreateContainerRequest request;
  request.set_pod_sandbox_id(pod);
  for (size_t i = 0; i < pods_.size(); ++i) {
    if (pod_ids_[i] == pod) *request.mutable_sandbox_config() = pods_[i];
  }
  cri::ContainerConfig& config = *request.mutable_config();
  config.mutable_metadata()->set_name(name);
  config.mutable_image()->set_image(kImage);
  for (std::string& word : command) config.add_command(std::move(word));
  config.set_log_path(name + ".log");
  *config.mutable_linux()->mutable_security_context()->mutable_namespace_options() =
      request.sandbox_config().linux().security_context().namespace_options();
  return request;
}

absl::StatusOr<std::string> NodeTest::Create(const cri::CreateContainerRequest& request) {
  BULKHEAD_ASSIGN_OR_RETURN(cri::CreateContainerResponse response,
                            cri().Call(&Runtime::CreateContainer, request, kPatience));
  return response.container_id();
}

absl::Status NodeTest::Start(const std::string& container) {
  cri::StartContainerRequest request;
  request.set_container_id(container);
  return cri().Call(&Runtime::StartContainer, request, kPatience).status();
}

absl::Status NodeTest::Stop(const std::string& container, int64_t seconds) {
  cri::StopContainerRequest request;
  request.set_container_id(container);
  request.set_timeout(seconds);
  return cri().Call(&Runtime::StopContainer, request, kPatience).status();
}

absl::Status NodeTest::Remove(const std::string& container) {
  cri::RemoveContainerRequest request;
  request.set_container_id(container);
  return cri().Call(&Runtime::RemoveContainer, request, kPatience).status();
}

absl::Status NodeTest::StopPod(const std::string& pod) {
  cri::StopPodSandboxRequest request;
  request.set_pod_sandbox_id(pod);
  return cri().Call(&Runtime::StopPodSandbox, request, kPatience).status();
}

absl::Status NodeTest::RemovePod(const std::string& pod) {
  cri::RemovePodSandboxRequest request;
  request.set_pod_sandbox_id(pod);
  return cri().Call(&Runtime::RemovePodSandbox, request, kPatience).status();
}

absl::StatusOr<cri::ContainerStatus> NodeTest::Status(const std::string& container) {
  cri::ContainerStatusRequest request;
  request.set_container_id(container);
  BULKHEAD_ASSIGN_OR_RETURN(cri::ContainerStatusResponse response,
                            cri().Call(&Runtime::ContainerStatus, request, kPatience));
  return response.status();
}

absl::StatusOr<cri::PodSandboxStatus> NodeTest::PodStatus(const std::string& pod) {
  cri::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id(pod);
  BULKHEAD_ASSIGN_OR_RETURN(cri::PodSandboxStatusResponse response,
                            cri().Call(&Runtime::PodSandboxStatus, request, kPatience));
  return response.status();
}

absl::StatusOr<cri::ExecSyncResponse> NodeTest::Exec(const std::string& container,
                                                     std::vector<std::string> argv,
                                                     int64_t seconds) {
  cri::ExecSyncRequest request;
  request.set_container_id(container);
  for (std::string& word : argv) request.add_cmd(std::move(word));
  request.set_timeout(seconds);
  return cri().Call(&Runtime::ExecSync, request, kPatience);
}

absl::StatusOr<std::string> NodeTest::Pull(const std::string& image) {
  cri::PullImageRequest request;
  request.mutable_image()->set_image(image);
  BULKHEAD_ASSIGN_OR_RETURN(cri::PullImageResponse response,
                            cri().Call(&Image::PullImage, request, kPatience));
  return response.image_ref();
}

absl::StatusOr<cri::ContainerStatus> NodeTest::AwaitExit(const std::string& container) {
  absl::StatusOr<cri::ContainerStatus> status;
  bool exited = Eventually(kPatience, [&] {
    status = Status(container);
    return !status.ok() || status->state() == cri::CONTAINER_EXITED;
  });
  if (!exited) return absl::DeadlineExceededError("the container does not exit");
  return status;
}

absl::StatusOr<std::string> NodeTest::OutputOf(cri::CreateContainerRequest request) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string id, Create(request));
  BULKHEAD_RETURN_IF_ERROR(Start(id));
  BULKHEAD_ASSIGN_OR_RETURN(cri::ContainerStatus status, AwaitExit(id));
  return LogText(status);
}

std::string NodeTest::LogText(const cri::ContainerStatus& status, const std::string& stream) {
  std::string text;
  tools::LogFollower log(status.log_path(), [&](tools::LogStream from, absl::string_view bytes) {
    bool wanted = (from == tools::LogStream::kStdout) == (stream == "stdout");
    if (wanted) text += std::string(bytes);
  });
  absl::Status drained = log.Drain();
  return drained.ok() ? text : drained.ToString();
}

void NodeTest::RemoveAll() {
  for (const std::string& pod : pod_ids_) {
    EXPECT_THAT(StopPod(pod), IsOk());
    EXPECT_THAT(RemovePod(pod), IsOk());
  }
  pod_ids_.clear();
  pods_.clear();
}

}  // namespace bulkhead::test
