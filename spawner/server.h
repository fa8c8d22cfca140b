#pragma once

#include <memory>

#include "base/deadline.h"
#include "spawner/connection.h"
#include "spawner/workers.h"

namespace bulkhead::spawner {

struct Settings {
  security::Places places;
  base::CgroupMode cgroup_mode = base::CgroupMode::kV2;
};

// The loop: the broker's requests, the supervisor's messages, children that end.
class Server {
 public:
  Server(Workers workers, base::UniqueFd broker, base::UniqueFd supervisor)
      : workers_(std::move(workers)), supervisor_(std::move(supervisor)) {
    Adopt(std::move(broker));
  }

  // Until the supervisor closes its socket: then workers are killed and monitors left alone.
  absl::Status Serve();

 private:
  void Adopt(base::UniqueFd broker);
  void DropBroker(const absl::Status& why);
  absl::Status Wait();
  int PollTimeout() const;  // milliseconds
  void Sweep();
  void ServeBroker();
  void Handle(Connection::Request request);
  // False: the supervisor is gone.
  bool ServeSupervisor();
  void Report(const std::vector<Workers::Exit>& exits);
  void Tell(const ipc::SpawnReply& reply);

  Workers workers_;
  base::UniqueFd supervisor_;
  base::UniqueFd children_;  // signalfd of SIGCHLD
  std::unique_ptr<Connection> broker_;
  uint64_t connections_ = 0;
  bool broker_ready_ = false;
  bool supervisor_ready_ = false;
  bool children_ready_ = false;
  bool leftovers_ = true;  // not known yet
  base::Deadline next_sweep_ = base::Deadline::After(absl::ZeroDuration());
};

}  // namespace bulkhead::spawner
