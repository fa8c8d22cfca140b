#pragma once

#include <capnp/message.h>

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/fiber.h"
#include "broker/spawner/spawner_client.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"

namespace bulkhead::broker {

// One worker with one job. Killed where it is dropped before it has ended.
class Worker {
 public:
  struct Options {
    // How long the job may take; zero: the profile's wall limit.
    absl::Duration limit = absl::ZeroDuration();
    ipc::Limits result = {};  // how big the answer may be, and with how many fds
  };

  // A worker without a job yet: it starts and confines itself while the caller prepares the job.
  static absl::StatusOr<std::unique_ptr<Worker>> Begin(Fiber& fiber, SpawnerClient& spawner,
                                                       security::Kind kind, Options options);
  static absl::StatusOr<std::unique_ptr<Worker>> Begin(Fiber& fiber, SpawnerClient& spawner,
                                                       security::Kind kind) {
    return Begin(fiber, spawner, kind, Options());
  }
  // Sends its job to one that Begin made. fds stay the caller's.
  absl::Status Give(Fiber& fiber, capnp::MessageBuilder& job, absl::Span<const int> fds = {});
  // Both at once.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(Fiber& fiber, SpawnerClient& spawner,
                                                       security::Kind kind,
                                                       capnp::MessageBuilder& job,
                                                       absl::Span<const int> fds, Options options);
  static absl::StatusOr<std::unique_ptr<Worker>> Start(Fiber& fiber, SpawnerClient& spawner,
                                                       security::Kind kind,
                                                       capnp::MessageBuilder& job,
                                                       absl::Span<const int> fds = {}) {
    return Start(fiber, spawner, kind, job, fds, Options());
  }
  ~Worker();
  Worker(const Worker&) = delete;

  // The answer's status where it is an error, else what take(reader, fds) makes of the answer.
  // DEADLINE_EXCEEDED: it was killed for its time; INTERNAL: it died.
  template <typename Result, typename F>
  absl::Status Finish(Fiber& fiber, F take) {
    return FinishWhatever<Result>(fiber, [&](auto reader, auto& fds) -> absl::Status {
      if (absl::Status status = ipc::ReadStatus(reader.getStatus()); !status.ok()) return status;
      return take(reader, fds);
    });
  }
  // The same for an answer that says something even where its status is an error; take reads the
  // status.
  template <typename Result, typename F>
  absl::Status FinishWhatever(Fiber& fiber, F take) {
    absl::StatusOr<ipc::Received> answer = Receive(fiber);
    if (!answer.ok()) return answer.status();
    return ipc::Guarded([&]() -> absl::Status {
      auto reader = answer->template As<Result>();
      if constexpr (requires { reader.getSteps(); }) fiber.AddSteps(name(), reader.getSteps());
      return take(reader, answer->fds());
    });
  }
  template <typename Result>
  absl::Status Finish(Fiber& fiber) {
    return Finish<Result>(fiber, [](auto&&, auto&&) { return absl::OkStatus(); });
  }

  // Kills it: Finish, in whatever fiber it waits, then gives CANCELLED.
  void Cancel();

  // Until it is dead, so that nothing of it can still write; kills it after a second.
  void WaitForExit(Fiber& fiber);

 private:
  Worker(SpawnerClient& spawner, security::Kind kind, SpawnerClient::Started started,
         base::Deadline deadline, ipc::Limits limits, TimedStep step, TimedStep start);
  absl::string_view name() const;
  absl::StatusOr<ipc::Received> Receive(Fiber& fiber);
  absl::Status Explain(Fiber& fiber, const absl::Status& why);

  SpawnerClient& spawner_;
  security::Kind kind_;
  base::UniqueFd control_;
  base::Deadline deadline_;
  ipc::Limits limits_;
  TimedStep step_;   // from the request to the answer
  TimedStep start_;  // until it says that it is confined
  uint64_t id_;
  kj::ForkedPromise<void> ended_;
  std::shared_ptr<WorkerExit> exit_;  // set when ended_ is fulfilled
  bool answered_ = false;
  bool cancelled_ = false;
};

}  // namespace bulkhead::broker
