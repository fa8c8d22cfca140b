#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/node.h"
#include "tests/support/snapshot.h"

namespace bulkhead::test {

namespace cri = ::runtime::v1;

inline constexpr char kImage[] = "localhost/busybox:test";
inline constexpr absl::Duration kPatience = absl::Seconds(60);

// A node with the busybox image, and a check after each test that nothing is left of what the test
// did: it removes its pods itself, or asks for RemoveAll.
class NodeTest : public ::testing::Test {
 protected:
  virtual NodeOptions Options() { return {}; }
  void SetUp() override;
  void TearDown() override;

  Node& node() { return *node_; }
  tools::CriClient& cri() { return node_->cri(); }
  // For tests that change on purpose what a snapshot holds (an image more).
  void TakeBaseline();
  // One more image, which goes when the test ends. options: of tests/support/make_image.py.
  void ImportImage(const std::string& name, std::vector<std::string> options);

  // --- One call each; the request's usual parts are filled in ---
  cri::RunPodSandboxRequest PodRequest(const std::string& name);
  // With a network of its own.
  cri::RunPodSandboxRequest NetworkedPod(const std::string& name);
  cri::CreateContainerRequest ContainerRequest(const std::string& pod, const std::string& name,
                                               std::vector<std::string> command);
  absl::StatusOr<std::string> RunPod(const cri::RunPodSandboxRequest& request);
  absl::StatusOr<std::string> Create(const cri::CreateContainerRequest& request);
  absl::Status Start(const std::string& container);
  absl::Status Stop(const std::string& container, int64_t seconds);
  absl::Status Remove(const std::string& container);
  absl::Status StopPod(const std::string& pod);
  absl::Status RemovePod(const std::string& pod);
  absl::StatusOr<cri::ContainerStatus> Status(const std::string& container);
  absl::StatusOr<cri::PodSandboxStatus> PodStatus(const std::string& pod);
  absl::StatusOr<cri::ExecSyncResponse> Exec(const std::string& container,
                                             std::vector<std::string> argv, int64_t seconds = 20);
  absl::StatusOr<std::string> Pull(const std::string& image);

  // --- Several ---
  // The container's status once it has exited.
  absl::StatusOr<cri::ContainerStatus> AwaitExit(const std::string& container);
  // Creates, starts, awaits the exit and gives the log's text of standard output.
  absl::StatusOr<std::string> OutputOf(cri::CreateContainerRequest request);
  // Lines of a log in CRI's format, of one stream.
  std::string LogText(const cri::ContainerStatus& status, const std::string& stream = "stdout");
  void RemoveAll();

 private:
  void RemoveImported();

  std::optional<Snapshot> baseline_;
  std::unique_ptr<Node> node_;
  std::vector<cri::PodSandboxConfig> pods_;
  std::vector<std::string> pod_ids_;
  std::vector<std::string> imported_;
};

// Copied by value, so that temporaries do.
MATCHER(IsOk, "") {
  if constexpr (requires { arg.status(); }) {
    *result_listener << arg.status();
  } else {
    *result_listener << arg;
  }
  return arg.ok();
}

}  // namespace bulkhead::test
