#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/client/cri.h"
#include "tools/client/log_follower.h"

namespace bulkhead::tools {

struct RunRequest {
  std::string image;                 // as the user names it
  std::vector<std::string> command;  // empty: the image's
  bool host_network = true;          // else CNI's
  std::string log_directory;         // exists; the caller removes it
};

// One pod with one container, from pull to removal. Not reusable.
class PodRun {
 public:
  PodRun(CriClient& client, RunRequest request);

  // Pulls where the image is missing, runs, gives sink the output until the container has ended.
  // Returns its exit code. CANCELLED: client.Cancel was called.
  absl::StatusOr<int> Run(LogFollower::Sink sink);
  // Stops and removes what Run made, also where Run was cancelled in the middle of a call. Once,
  // after Run.
  absl::Status CleanUp();

 private:
  absl::Status EnsureImage();
  absl::Status StartPod();
  absl::Status StartContainer();
  absl::StatusOr<int> Follow(LogFollower& log);
  absl::StatusOr<cri::ContainerStatus> Status();

  CriClient& client_;
  RunRequest request_;
  cri::RunPodSandboxRequest pod_;
  bool pod_asked_ = false;
  std::string image_id_;
  std::string pod_id_;
  std::string container_id_;
};

}  // namespace bulkhead::tools
