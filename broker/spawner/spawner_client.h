#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "broker/fiber.h"
#include "ipc/spawn_protocol.h"
#include "security/profile.h"

namespace bulkhead::broker {

// How a worker ended.
struct WorkerExit {
  bool started = true;  // false: value is an errno
  int value = 0;        // wait(2) status
  bool oom_killed = false;

  // It died of a limit on its memory or CPU time.
  bool OverLimit() const;
  // For an error message: "killed by signal 31 (a forbidden system call)".
  std::string Describe() const;
};

// The broker's end of the spawner's socket.
class SpawnerClient {
 public:
  // writer: the same socket again, because an event loop can wait for an fd only once.
  SpawnerClient(Loop& loop, base::UniqueFd socket, base::UniqueFd writer)
      : loop_(loop), socket_(std::move(socket)), writer_(std::move(writer)) {}

  // Serves replies; to be added to the loop once. Ends where the spawner is gone.
  kj::Promise<void> Serve();

  // A worker without a job yet. It starts and confines itself meanwhile.
  struct Started {
    uint64_t id;
    kj::Promise<WorkerExit> exit;
    base::UniqueFd control;  // our end of its fd 3
  };
  // A spare one where there is one, else one that starts now. UNAVAILABLE: no spawner.
  absl::StatusOr<Started> Obtain(Fiber& fiber, security::Kind kind);
  // Kills the worker and its cgroup; nothing where it has ended.
  void Kill(uint64_t id);

  // Workers that have a job, or are about to get one.
  size_t busy() const { return live_.size() - spares_.size(); }
  // The kinds of those that stand by.
  std::vector<std::string> Spares() const;
  bool connected() const { return connected_; }

 private:
  absl::StatusOr<Started> Spawn(Fiber& fiber, security::Kind kind);
  std::optional<Started> TakeSpare(security::Kind kind);
  void ReplaceSpare(security::Kind kind);
  void Drain();
  void Take(const ipc::SpawnReply& reply);
  void Disconnected();

  Loop& loop_;
  base::UniqueFd socket_;
  base::UniqueFd writer_;
  bool connected_ = true;
  FiberLimit sending_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, kj::Own<kj::PromiseFulfiller<WorkerExit>>> live_;
  std::multimap<security::Kind, Started> spares_;
  std::set<security::Kind> replacing_;
};

}  // namespace bulkhead::broker
