#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "ipc/spawn_protocol.h"
#include "security/enforce/enter.h"
#include "security/enforce/spawn.h"
#include "security/profile.h"

namespace bulkhead::security {

// A real spawner with directories of its own; ended and swept up afterwards.
class SpawnerTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Ends the spawner and starts another one that takes its workers' programs from here.
  void Restart(const std::string& programs);

  // Sends a request with this many copies of an fd.
  void Send(const ipc::SpawnRequest& request, int fd = -1, int copies = 1);
  // Spawns kind with a new control socket, whose other end it returns.
  base::UniqueFd RequestWorker(uint64_t id, uint32_t kind);
  // The next reply; nothing where the spawner closed the socket or was silent for patience.
  std::optional<ipc::SpawnReply> Receive(int milliseconds = 5000);
  // Waits for a reply of this kind to this id.
  std::optional<ipc::SpawnReply> ReceiveEvent(uint64_t id, ipc::SpawnEvent event);
  bool Closed();
  // Makes a new broker's socket and hands the other end to the spawner.
  void Reconnect();
  // Cgroups of this spawner's workers that somebody is in.
  int CountCgroups() const;

  Places places_;
  base::UniqueFd broker_;      // the broker's end
  base::UniqueFd supervisor_;  // the supervisor's end
  Spawned spawner_;

  std::string root_;  // a directory of the test's own

 private:
  void Start(const std::string& programs);
  void Stop();
};

}  // namespace bulkhead::security
