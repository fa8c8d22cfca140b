#include "worker/sandbox/job.h"

#include <string>

#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "security/policy/pod_ids.h"
#include "security/policy/sysctl.h"
#include "worker/sandbox/dns.h"
#include "worker/sandbox/files.h"
#include "worker/sandbox/namespaces.h"
#include "worker/sandbox/pod_directory.h"
#include "worker/sandbox/policy.h"
#include "worker/sandbox/user_namespace.h"

namespace bulkhead::sandbox {
namespace {

using Make = schema::SandboxJob::Make::Reader;

constexpr size_t kMaxSysctls = 64;

absl::string_view View(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

// Else the pod goes by the node's name.
bool IsNamed(Make make) { return make.getNewUts() && make.getHostname().size() > 0; }

// Everything that can be refused is refused before anything is made.
absl::Status CheckMake(Make make) {
  if (IsNamed(make)) BULKHEAD_RETURN_IF_ERROR(CheckHostname(View(make.getHostname())));
  // tmpfs takes 0 for no limit.
  if (make.getNewIpc() && make.getShmBytes() == 0) {
    return absl::InvalidArgumentError("shmBytes: must not be 0");
  }
  BULKHEAD_RETURN_IF_ERROR(ComposeResolvConf(make).status());
  BULKHEAD_RETURN_IF_ERROR(
      security::CheckPodIds(make.getIdMapping().getHostId(), make.getIdMapping().getLength()));
  if (make.getSysctls().size() > kMaxSysctls) {
    return absl::InvalidArgumentError("config.linux.sysctls: too many");
  }
  for (const auto sysctl : make.getSysctls()) {
    BULKHEAD_RETURN_IF_ERROR(security::CheckSysctl(View(sysctl.getKey()), View(sysctl.getValue()),
                                                   make.getNewNetwork(), make.getNewIpc()));
  }
  return absl::OkStatus();
}

// What is done inside the new namespaces.
absl::Status SetUp(Make make) {
  if (make.getNewNetwork()) BULKHEAD_RETURN_IF_ERROR(SetUpNetwork());
  if (IsNamed(make)) BULKHEAD_RETURN_IF_ERROR(SetHostname(View(make.getHostname())));
  return ApplySysctls(make.getSysctls());
}

absl::Status FillPodDirectory(int pod, Make make) {
  BULKHEAD_RETURN_IF_ERROR(WriteFiles(pod, make));
  if (make.getNewIpc()) {
    BULKHEAD_RETURN_IF_ERROR(MountShm(pod, make.getShmBytes(), make.getIdMapping().getHostId()));
  }
  if (make.getIdMapping().getLength() > 0) {
    return MakeUserNamespace(pod, make, [make] { return SetUp(make); });
  }
  BULKHEAD_RETURN_IF_ERROR(EnterNewNamespaces(make));
  BULKHEAD_RETURN_IF_ERROR(SetUp(make));
  return PinNamespaces(pod, make);
}

absl::Status BuildPod(const std::string& pod_id, Make make, int run) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd pod, MakePodDirectory(run, pod_id));
  return FillPodDirectory(pod.get(), make);
}

absl::Status MakePod(const std::string& pod_id, Make make, int run) {
  BULKHEAD_RETURN_IF_ERROR(CheckMake(make));
  BULKHEAD_RETURN_IF_ERROR(CheckPolicy(make, run));
  // Left by a try that crashed: ids are never used twice.
  BULKHEAD_RETURN_IF_ERROR(RemovePodDirectory(run, pod_id));
  const absl::Status made = BuildPod(pod_id, make, run);
  if (made.ok()) return made;
  const absl::Status undone = RemovePodDirectory(run, pod_id);
  if (!undone.ok()) {
    base::Log(base::Severity::kError, "could not undo a sandbox",
              {{"pod", pod_id}, {"error", undone.message()}});
  }
  return made;
}

}  // namespace

absl::Status RunSandboxJob(schema::SandboxJob::Reader job, int run) {
  const std::string pod_id(View(job.getPodId()));
  if (!base::IsId(pod_id)) return absl::InvalidArgumentError("podId: not an id");
  switch (job.which()) {
    case schema::SandboxJob::MAKE:
      return MakePod(pod_id, job.getMake(), run);
    case schema::SandboxJob::REMOVE:
      return RemovePodDirectory(run, pod_id);
    case schema::SandboxJob::WATCH_NETWORKS:
      break;  // watch.h, as it answers with descriptors
  }
  return absl::UnimplementedError("sandbox job: unknown operation");
}

absl::Status TakeUserNamespace(schema::SandboxJob::Reader job, int run,
                               std::vector<base::UniqueFd>* fds) {
  if (!job.isMake() || !job.getMake().getAnswerUser()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd user, OpenPin(run, job.getPodId().cStr(), kUserPin));
  fds->push_back(std::move(user));
  return absl::OkStatus();
}

}  // namespace bulkhead::sandbox
