#pragma once

#include <cstdint>

// Broker and spawner, over a SOCK_SEQPACKET socket pair. Fixed structs, so that the spawner parses
// nothing.
namespace bulkhead::ipc {

inline constexpr uint32_t kSpawnMagic = 0x50534842;  // "BHSP"

enum class SpawnOp : uint32_t {
  kSpawn = 1,  // one fd comes with it: the worker's control socket
  kKill = 2,   // kill the worker `id` with its whole cgroup; unknown is ignored
};

// Broker to spawner.
struct SpawnRequest {
  uint32_t magic;
  SpawnOp op;
  uint64_t id;    // the broker's number for this worker; never reused in a connection
  uint32_t kind;  // security::Kind
  uint32_t zero;
};

enum class SpawnEvent : uint32_t {
  kStarted = 1,  // pid is set
  kFailed = 2,   // value is an errno; no more follows for this id
  kExited = 3,   // value is a wait(2) status; the worker's cgroup is empty and removed
};

// Spawner to broker.
struct SpawnReply {
  uint32_t magic;
  SpawnEvent event;
  uint64_t id;
  int32_t pid;
  int32_t value;
  uint32_t oom_killed;  // kExited: 1 where the memory limit of the worker's cgroup killed it
  uint32_t zero;
};

}  // namespace bulkhead::ipc
