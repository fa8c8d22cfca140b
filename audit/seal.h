#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "audit/crypto.h"
#include "audit/entry.h"

namespace bulkhead::audit {

// What a seal says, and signs: everything before it, by the hash of the entry before it. After it
// the epoch's key is replaced.
struct Seal {
  uint64_t epoch = 0;    // from 0; the key under which this seal's own mac is made
  bool closing = false;  // the log was ended in order
  std::string signature;
};

// log_id: SHA-256 of the log's public key. seq: of the seal. head: the hash of the entry before it.
std::string SealMessage(absl::string_view log_id, uint64_t seq, absl::string_view head,
                        const Seal& seal);
inline constexpr size_t kSealBytes = sizeof(uint64_t) + 1 + kSignatureBytes;
// Of a seal's entry as it lies in a segment.
inline constexpr size_t kSealEntryBytes = kEntryOverheadBytes + kSealBytes;
std::string EncodeSeal(const Seal& seal);
absl::StatusOr<Seal> DecodeSeal(absl::string_view payload);

// A signed statement of how long the log was and what its last entry was, to be kept off the node:
// one line of text, "bulkhead-audit-checkpoint <log id> <seq> <hash of that entry> <signature>",
// all hex. It exposes a log that was later cut or rewritten, keys and all.
struct Checkpoint {
  std::string log_id;
  uint64_t seq = 0;
  std::string hash;
  std::string signature;
};
absl::StatusOr<std::string> MakeCheckpoint(const Signer& signer, uint64_t seq,
                                           absl::string_view hash);
// DATA_LOSS: no checkpoint, or not signed by public_key.
absl::StatusOr<Checkpoint> ReadCheckpoint(absl::string_view line, absl::string_view public_key);

std::string LogId(absl::string_view public_key);

}  // namespace bulkhead::audit
