#include "tools/client/pod_run.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/ids.h"
#include "base/status.h"

namespace bulkhead::tools {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(120);
constexpr absl::Duration kPullPatience = absl::Hours(1);
constexpr absl::Duration kLookAgain = absl::Milliseconds(20);
constexpr char kLogFile[] = "main.log";
constexpr char kContainerName[] = "main";

cri::RunPodSandboxRequest PodRequest(const RunRequest& request) {
  std::string id = base::NewId();
  cri::RunPodSandboxRequest out;
  cri::PodSandboxConfig& config = *out.mutable_config();
  config.mutable_metadata()->set_name(absl::StrCat("run-", id.substr(0, 12)));
  config.mutable_metadata()->set_uid(id);
  config.mutable_metadata()->set_namespace_("default");
  config.set_log_directory(request.log_directory);
  if (!request.host_network) config.set_hostname(config.metadata().name());
  cri::NamespaceOption& namespaces =
      *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  namespaces.set_network(request.host_network ? cri::NODE : cri::POD);
  namespaces.set_pid(cri::CONTAINER);
  return out;
}

}  // namespace

PodRun::PodRun(CriClient& client, RunRequest request)
    : client_(client), request_(std::move(request)), pod_(PodRequest(request_)) {}

absl::StatusOr<int> PodRun::Run(LogFollower::Sink sink) {
  LogFollower log(absl::StrCat(request_.log_directory, "/", kLogFile), std::move(sink));
  BULKHEAD_RETURN_IF_ERROR(EnsureImage());
  BULKHEAD_RETURN_IF_ERROR(StartPod());
  BULKHEAD_RETURN_IF_ERROR(StartContainer());
  return Follow(log);
}

absl::Status PodRun::EnsureImage() {
  cri::ImageStatusRequest ask;
  ask.mutable_image()->set_image(request_.image);
  BULKHEAD_ASSIGN_OR_RETURN(cri::ImageStatusResponse known,
                            client_.Call(&CriClient::Image::ImageStatus, ask, kPatience));
  image_id_ = known.image().id();
  if (!image_id_.empty()) return absl::OkStatus();
  cri::PullImageRequest pull;
  pull.mutable_image()->set_image(request_.image);
  BULKHEAD_ASSIGN_OR_RETURN(cri::PullImageResponse pulled,
                            client_.Call(&CriClient::Image::PullImage, pull, kPullPatience));
  image_id_ = pulled.image_ref();
  return absl::OkStatus();
}

absl::Status PodRun::StartPod() {
  pod_asked_ = true;
  BULKHEAD_ASSIGN_OR_RETURN(cri::RunPodSandboxResponse made,
                            client_.Call(&CriClient::Runtime::RunPodSandbox, pod_, kPatience));
  pod_id_ = made.pod_sandbox_id();
  return absl::OkStatus();
}

absl::Status PodRun::StartContainer() {
  cri::CreateContainerRequest create;
  create.set_pod_sandbox_id(pod_id_);
  *create.mutable_sandbox_config() = pod_.config();
  cri::ContainerConfig& config = *create.mutable_config();
  config.mutable_metadata()->set_name(kContainerName);
  config.mutable_image()->set_image(image_id_);
  config.mutable_image()->set_user_specified_image(request_.image);
  for (const std::string& word : request_.command) config.add_command(word);
  config.set_log_path(kLogFile);
  *config.mutable_linux()->mutable_security_context()->mutable_namespace_options() =
      pod_.config().linux().security_context().namespace_options();
  BULKHEAD_ASSIGN_OR_RETURN(cri::CreateContainerResponse made,
                            client_.Call(&CriClient::Runtime::CreateContainer, create, kPatience));
  container_id_ = made.container_id();
  cri::StartContainerRequest start;
  start.set_container_id(container_id_);
  return client_.Call(&CriClient::Runtime::StartContainer, start, kPatience).status();
}

absl::StatusOr<int> PodRun::Follow(LogFollower& log) {
  while (true) {
    // In this order: what was written before it ended is in the file by now.
    BULKHEAD_ASSIGN_OR_RETURN(cri::ContainerStatus status, Status());
    BULKHEAD_RETURN_IF_ERROR(log.Drain());
    if (status.state() == cri::CONTAINER_EXITED) return status.exit_code();
    if (status.state() == cri::CONTAINER_UNKNOWN) {
      return absl::InternalError(absl::StrCat("the container was lost: ", status.reason()));
    }
    absl::SleepFor(kLookAgain);
  }
}

absl::StatusOr<cri::ContainerStatus> PodRun::Status() {
  cri::ContainerStatusRequest request;
  request.set_container_id(container_id_);
  BULKHEAD_ASSIGN_OR_RETURN(cri::ContainerStatusResponse response,
                            client_.Call(&CriClient::Runtime::ContainerStatus, request, kPatience));
  return response.status();
}

absl::Status PodRun::CleanUp() {
  client_.Resume();
  if (!pod_asked_) return absl::OkStatus();
  // A call that was cut off may have made the pod all the same: the same request again names it.
  if (pod_id_.empty() && !StartPod().ok()) return absl::OkStatus();
  cri::StopPodSandboxRequest stop;
  stop.set_pod_sandbox_id(pod_id_);
  BULKHEAD_RETURN_IF_ERROR(
      client_.Call(&CriClient::Runtime::StopPodSandbox, stop, kPatience).status());
  cri::RemovePodSandboxRequest remove;
  remove.set_pod_sandbox_id(pod_id_);
  return client_.Call(&CriClient::Runtime::RemovePodSandbox, remove, kPatience).status();
}

}  // namespace bulkhead::tools
