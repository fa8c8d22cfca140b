#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "schema/store.capnp.h"

namespace bulkhead::broker {

struct CheckFinding {
  schema::CheckFinding::Kind kind;
  std::string object;   // an image id, a digest, a name
  std::string problem;  // for people
  std::string repair;   // what was done about it; empty: nothing
  bool repaired = false;
};

struct CheckReport {
  uint32_t images = 0;
  uint32_t blobs = 0;
  uint32_t layers = 0;
  uint64_t bytes = 0;  // that were read and hashed
  std::vector<CheckFinding> findings;
};

enum class Repair { kNo, kYes };

// Reads and hashes everything that the store holds, and compares it with its names, its seals and
// the records. Changes nothing, but that a damaged layer serves no new container from then on.
// Repair: damaged content is put aside (quarantine.h) and fetched again; an image for which that
// fails is forgotten, so that whoever needs it pulls it; what belongs to nothing is deleted. One at
// a time: UNAVAILABLE while another one runs.
absl::StatusOr<CheckReport> CheckStore(Fiber& fiber, Broker& broker, Repair repair);

// Has new layers hashed once, right after they were unpacked: what they must hash to from then on.
// Never returns.
void SealLayers(Fiber& fiber, Broker& broker);

}  // namespace bulkhead::broker
