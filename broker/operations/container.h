#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/broker.h"
#include "broker/monitor/monitor_link.h"

// Operations on containers. Each may be repeated.
namespace bulkhead::broker {

// Returns the container's id; its process waits to be started. meant: the pod that the caller takes pod_id for, or
// without a name.
absl::StatusOr<std::string> CreateContainer(Fiber& fiber, Broker& broker, const std::string& pod_id,
                                            schema::ContainerConfig::Reader config,
                                            schema::PodIdentity::Reader meant);
absl::Status StartContainer(Fiber& fiber, Broker& broker, const std::string& id);
// The stop signal, SIGKILL after grace. Unknown and ended are success.
absl::Status StopContainer(Fiber& fiber, Broker& broker, const std::string& id,
                           absl::Duration grace);
absl::Status RemoveContainer(Fiber& fiber, Broker& broker, const std::string& id);

// After the log was renamed: from success on nothing goes to the old file. FAILED_PRECONDITION: it
// does not run.
absl::Status ReopenLog(Fiber& fiber, Broker& broker, const std::string& id);

struct ExecResult {
  std::string out;
  std::string err;
  int exit_code = 0;
};
// limit zero: the longest that the broker allows.
absl::StatusOr<ExecResult> ExecSync(Fiber& fiber, Broker& broker, const std::string& id,
                                    capnp::List<capnp::Text>::Reader argv, absl::Duration limit);

// The container's config.json, to be shown. Empty where it is gone or too long.
std::string DescribeContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container);

// SIGKILL, and waits for the end. For stopping a pod.
absl::Status KillContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container);
// Takes away all that a container may have left, in whatever state it is, then its row. The caller
// holds its mutex.
absl::Status DestroyContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container);

// Connects to the container's monitor, so that its end is recorded.
absl::Status WatchContainer(Fiber& fiber, Broker& broker, const ContainerPtr& container);
// For a container of which no monitor answers: kills what is left of it and records its end.
void EndUnwatched(Fiber& fiber, Broker& broker, const ContainerPtr& container);
// Writes the end of a container into its record in memory. False where it was there already.
bool NoteExit(ContainerObject& container, const MonitorLink::Exit& exit);

}  // namespace bulkhead::broker
