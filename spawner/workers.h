#pragma once

#include <sys/types.h>

#include <list>
#include <map>
#include <vector>

#include "ipc/spawn_protocol.h"
#include "security/profile.h"
#include "spawner/cgroups.h"
#include "spawner/resources.h"

namespace bulkhead::spawner {

// The workers that live, and those that have ended but whose cgroup is not gone yet.
class Workers {
 public:
  // More at one time are refused: what the broker asks for must not use up the node. Lasting ones
  // are as many as the node's containers, pods with a shared PID namespace, and open execs.
  static constexpr size_t kMostWorkers = 512;
  static constexpr size_t kMostLasting = 8192;

  Workers(Resources resources, Cgroups cgroups)
      : resources_(std::move(resources)), cgroups_(std::move(cgroups)) {}

  // Starts one. control: its end of the control socket. connection: which broker asked. Returns
  // what to tell it.
  ipc::SpawnReply Start(uint64_t connection, uint64_t id, uint32_t kind, int control);
  void Kill(uint64_t connection, uint64_t id);
  // Kills the workers that nobody waits for any more, and removes the cgroups that are kept for
  // others. Those that are or become monitors stay.
  void KillOrphans();

  struct Exit {
    uint64_t connection;
    ipc::SpawnReply reply;
  };
  // Reaps all children that have ended, and returns the workers whose cgroup is gone too.
  std::vector<Exit> Reap();
  // Tries again to remove the cgroups that were busy. A cgroup that stays busy is given up after a
  // second.
  std::vector<Exit> RetryRemovals();
  bool HasBusyCgroups() const { return !ended_.empty(); }
  // See Resources.
  void Replace(security::Dir dir, base::UniqueFd fd) { resources_.Replace(dir, std::move(fd)); }
  // See Cgroups.
  bool RemoveLeftovers() const { return cgroups_.RemoveLeftovers(); }

 private:
  struct Worker {
    uint64_t connection;
    uint64_t id;
    const security::Profile* profile;
    pid_t pid;
    Cgroups::Cgroup cgroup;
    int wait_status = 0;
    bool oom_killed = false;
    int tries = 0;
  };
  bool IsFull(const security::Profile& profile) const;
  absl::Status StartWorker(Worker* worker, int control);
  static void KillWorker(const Worker& worker);
  static Exit ExitOf(const Worker& worker);

  Resources resources_;
  Cgroups cgroups_;
  std::map<pid_t, Worker> live_;
  std::list<Worker> ended_;
};

}  // namespace bulkhead::spawner
