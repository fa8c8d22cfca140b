#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "audit/crypto.h"

// The log's keys, files beside its segments:
//   sign.key     32 bytes: seed of the Ed25519 key that signs seals and checkpoints
//   log.pub      its public half, hex
//   initial.key  hex: the first epoch's key, for the verifier. To be taken off the node and deleted
//                there (`bulkhead audit key --take`): who has it can forge the past.
//   epoch.key    "<epoch> <hex>": the key of now; the one before is overwritten
namespace bulkhead::audit {

struct EpochKey {
  uint64_t epoch = 0;
  std::string key;  // kKeyBytes
};

inline constexpr char kInitialKeyFile[] = "initial.key";
inline constexpr char kPublicKeyFile[] = "log.pub";

// Makes keys where there are none. directory: the log's.
absl::StatusOr<Signer> LoadOrMakeSigner(int directory);
absl::StatusOr<EpochKey> LoadOrMakeEpoch(int directory);
// Durable when it returns.
// Space for the next key, so that a seal is not written where the key could not change after it.
absl::Status PrepareEpoch(int directory);
absl::Status StoreEpoch(int directory, const EpochKey& key);

// A file of hex digits, decoded. NOT_FOUND: no such file; DATA_LOSS: no hex of this length.
absl::StatusOr<std::string> ReadHexFile(int directory, const std::string& name, size_t bytes);

}  // namespace bulkhead::audit
