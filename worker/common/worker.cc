#include "worker/common/worker.h"

#include <cstdlib>

#include "base/deadline.h"
#include "base/log.h"
#include "security/enforce/enter.h"

namespace bulkhead::worker {
namespace {

// The broker reads at once or is not well.
constexpr absl::Duration kSendPatience = absl::Seconds(30);

}  // namespace

void Begin(const security::Profile& profile) {
  base::SetLogProcess(profile.name);
  security::EnterOrDie(profile);
  capnp::MallocMessageBuilder hello;
  SendResult(hello, {});
}

ipc::Received ReceiveJob(int max_fds) {
  const ipc::Limits limits = {.max_fds = max_fds};
  absl::StatusOr<ipc::Received> job = ipc::Receive(kControlFd, limits, base::Deadline::Never());
  if (absl::IsUnavailable(job.status())) exit(0);
  if (!job.ok()) Die("receive job", job.status());
  return *std::move(job);
}

void SendResult(capnp::MessageBuilder& message, absl::Span<const int> fds) {
  const absl::Status sent =
      ipc::Send(kControlFd, message, fds, base::Deadline::After(kSendPatience));
  if (absl::IsUnavailable(sent)) exit(0);
  if (!sent.ok()) Die("send result", sent);
}

void Die(const char* what, const absl::Status& status) {
  base::Log(base::Severity::kError, what, {{"error", status.message()}});
  exit(1);
}

}  // namespace bulkhead::worker
