#pragma once

#include <capnp/message.h>

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"
#include "security/profile.h"

// What every worker's main does, in one place: enter the profile, say hello, take one job, send one result, exit.
namespace bulkhead::worker {

inline constexpr int kControlFd = 3;
// Directories that the spawner provides (profile FdRow) follow from here, in the table's order.
inline constexpr int kFirstDirFd = 4;

struct JobResult {
  std::vector<base::UniqueFd> fds;  // travel with the result
};

// Runs the job: fills result (whose status field the function sets itself) and returns the fds that go with it.
// Must not throw. ResultType::Builder's status is set to INTERNAL by default.
template <typename Job, typename Result>
using JobFunction =
    std::function<JobResult(typename Job::Reader job, std::vector<base::UniqueFd> fds,
                            typename Result::Builder result)>;

// Enters the profile and says hello (an empty frame header) on the control socket.
void Begin(const security::Profile& profile);
// Waits for the job. Exits quietly where the broker closed instead (the self-test does).
// A malformed frame ends the process with 1.
ipc::Received ReceiveJob(int max_fds);
// Ends the process where it cannot be sent: quietly with 0 where the broker closed, else with 1.
void SendResult(capnp::MessageBuilder& message, absl::Span<const int> fds);
// Logs and ends the process with 1.
[[noreturn]] void Die(const char* what, const absl::Status& status);

// Takes one job and answers it. A malformed job ends the process with 1 and no result.
template <typename Job, typename Result>
void ServeJob(int max_fds, const JobFunction<Job, Result>& run) {
  ipc::Received received = ReceiveJob(max_fds);
  capnp::MallocMessageBuilder message;
  JobResult out;
  const absl::Status well_formed = ipc::Guarded([&] {
    typename Result::Builder result = message.initRoot<Result>();
    ipc::WriteStatus(absl::InternalError("the worker set no status"), result.initStatus());
    out = run(received.As<Job>(), std::move(received.fds()), result);
  });
  if (!well_formed.ok()) Die("run job", well_formed);
  std::vector<int> fds;
  for (const base::UniqueFd& fd : out.fds) fds.push_back(fd.get());
  SendResult(message, fds);
}

// main() of an ordinary worker.
template <typename Job, typename Result>
int RunWorker(const security::Profile& profile, int max_fds, const JobFunction<Job, Result>& run) {
  Begin(profile);
  ServeJob<Job, Result>(max_fds, run);
  return 0;
}

}  // namespace bulkhead::worker
