#pragma once

#include <map>
#include <string>

#include "base/unique_fd.h"
#include "broker/audit/audit_link.h"
#include "broker/fiber.h"
#include "broker/network/network.h"
#include "broker/operations/stats.h"
#include "broker/plan/policy.h"
#include "broker/pull.h"
#include "broker/spawner/spawner_client.h"
#include "broker/state/state.h"
#include "broker/streaming/tokens.h"
#include "broker/trace/metrics.h"
#include "schema/config.capnp.h"

namespace bulkhead::broker {

// The directories that are the broker's own, opened once.
struct OwnDirectories {
  base::UniqueFd blobs;   // <root_dir>/blobs/sha256
  base::UniqueFd ingest;  // <root_dir>/ingest: what is being fetched
  base::UniqueFd layers;  // <root_dir>/layers: the directory itself, not what is in a layer
};

// What every operation works with.
struct Broker {
  // While one of these lives, no layer is collected: an image in the making does not name its
  // layers yet.
  class LayerPin {
   public:
    explicit LayerPin(int* count) : count_(count) { ++*count_; }
    LayerPin(LayerPin&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    LayerPin& operator=(LayerPin&&) = delete;
    ~LayerPin() {
      if (count_ != nullptr) --*count_;
    }

   private:
    int* count_;
  };
  LayerPin PinLayers() { return LayerPin(&layer_pins); }

  Loop& loop;
  schema::Config::Reader config;
  State& state;
  SpawnerClient& spawner;
  AuditLink& audit;
  OwnDirectories& directories;
  std::string boot_id;   // 16 bytes
  KeyedMutex keys = {};  // orders operations that have no object yet, by what they are about
  NetworkState network = {};
  PullTable pulls = {};
  Tokens tokens = Tokens();  // of streams
  int layer_pins = 0;
  std::map<std::string, base::UniqueFd> layer_mounts =
      {};  // of layers that are images, by diffID in hex
  bool writing_back = false;
  Timelines timelines = {};
  Metrics metrics = {};
  StatsMemory stats = {};
  bool checking = false;   // bulkhead check is under way
  Policies policies = {};  // of pods; none until the supervisor has sent them
};

// Nanoseconds since 1970, for what kubelet is shown.
int64_t WallClockNs();

}  // namespace bulkhead::broker
