#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "audit/entry.h"
#include "audit/keys.h"
#include "base/unique_fd.h"

namespace bulkhead::audit {

// Writes a log. One at a time: it holds a lock on the directory. Not for several threads.
class LogWriter {
 public:
  struct Options {
    uint64_t segment_bytes = 64ull << 20;  // a sealed segment over this is followed by a new one
    uint64_t seal_every = 256;             // records
    // Space that is kept ahead of the last entry, so that what ends and removes things on a full
    // disk can still be recorded.
    uint64_t reserve_bytes = 1 << 20;
  };
  // directory: the log's, opened for reading, the caller's to own as long as this lives. Continues
  // a log that is there: an entry that was being written when the last writer died was never
  // acknowledged and is cut off; torn_bytes() tells. FAILED_PRECONDITION: another one writes.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Open(
      int directory, const std::array<uint8_t, kBootIdBytes>& boot_id, Options options);

  // Takes a record; nothing is written before Commit. INVALID_ARGUMENT: longer than
  // kMaxPayloadBytes. Returns its seq.
  absl::StatusOr<uint64_t> Append(Emitter emitter, absl::string_view payload);
  // Makes all that was appended durable, and seals where it is time. On an error nothing of it is
  // in the log, and the next Append begins where the last good Commit ended.
  absl::Status Commit();
  // Seals what no seal covers yet. closing: the writer ends in order.
  absl::Status SealNow(bool closing);
  // The newest durable entry, signed, for keeping off the node.
  absl::StatusOr<std::string> NewCheckpoint() const;

  uint64_t durable_seq() const { return durable_.seq; }
  uint64_t unsealed() const { return durable_.unsealed; }
  uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  // How far the log has come.
  struct Head {
    uint64_t seq = 0;  // of the last entry
    std::string hash = std::string(kHashBytes, '\0');
    uint64_t unsealed = 0;     // records since the last seal
    uint64_t segment_end = 0;  // bytes of the segment file
  };
  LogWriter(int directory, const std::array<uint8_t, kBootIdBytes>& boot_id, Options options,
            Signer signer)
      : directory_(directory), boot_id_(boot_id), options_(options), signer_(std::move(signer)) {}
  absl::Status Continue();
  absl::Status FollowLastSeal(const Entry& last);
  absl::Status OpenSegment(uint64_t first_seq, bool make);
  void Add(EntryKind kind, Emitter emitter, absl::string_view payload);
  absl::Status WritePending();
  absl::Status NextEpoch();
  void ReserveAhead();
  void Abandon();

  int directory_;
  std::array<uint8_t, kBootIdBytes> boot_id_;
  Options options_;
  Signer signer_;
  EpochKey epoch_;
  base::UniqueFd segment_;
  Head durable_;  // what is on the disk
  Head pending_;  // with what was appended since
  std::string bytes_;
  uint64_t torn_bytes_ = 0;
  uint64_t reserved_end_ = 0;  // of the segment file
};

}  // namespace bulkhead::audit
