#pragma once

#include <capnp/message.h>

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "ipc/message.h"
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
ipc::Received ReceiveJob(int max_fds);
void SendResult(capnp::MessageBuilder& message, absl::Span<const int> fds);

// main() of an ordinary worker.
template <typename Job, typename Result>
int RunWorker(const security::Profile& profile, int max_fds, const JobFunction<Job, Result>& run) {
  Begin(profile);
  ipc::Received received = ReceiveJob(max_fds);
  capnp::MallocMessageBuilder message;
  JobResult out = run(received.As<Job>(), std::move(received.fds()),
                      message.initRoot<Result>());
  std::vector<int> fds;
  for (const base::UniqueFd& fd : out.fds) fds.push_back(fd.get());
  SendResult(message, fds);
  return 0;
}

}  // namespace bulkhead::worker
