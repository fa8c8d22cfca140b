#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// One entry of the audit log, byte for byte as it lies in a segment file (little endian):
//
//   u32 length of what follows
//   u8  version (1)  u8 kind  u16 emitter
//   u64 seq          i64 wall clock, ns since 1970   i64 CLOCK_BOOTTIME, ns   16 bytes boot id
//   payload
//   32 bytes prev: the hash of the entry before (zeros before the first)
//   32 bytes mac:  HMAC-SHA-256 under the epoch's key of everything from version to prev
//
// The hash of an entry covers its length and its mac too, so that no byte of the log is outside of
// the chain. The payload is opaque here: whoever writes the log parses none of it.
namespace bulkhead::audit {

inline constexpr size_t kHashBytes = 32;
inline constexpr size_t kKeyBytes = 32;
inline constexpr size_t kBootIdBytes = 16;
inline constexpr size_t kMaxPayloadBytes = 64 << 10;
// An entry's bytes without its payload.
inline constexpr size_t kEntryOverheadBytes =
    4 + 1 + 1 + 2 + 8 + 8 + 8 + kBootIdBytes + 2 * kHashBytes;

enum class EntryKind : uint8_t { kRecord = 1, kSeal = 2 };

// Who handed the record in: known from the socket it came through, not from what it says.
enum class Emitter : uint16_t { kAuditor = 0, kBroker = 1, kSpawner = 2, kSupervisor = 3 };

struct EntryHeader {
  EntryKind kind = EntryKind::kRecord;
  Emitter emitter = Emitter::kAuditor;
  uint64_t seq = 0;  // from 1, without gaps, over all segments
  int64_t wall_ns = 0;
  int64_t boot_ns = 0;
  std::array<uint8_t, kBootIdBytes> boot_id = {};
};

struct Entry {
  EntryHeader header;
  std::string payload;
  std::string prev;  // kHashBytes
  std::string mac;   // kHashBytes
};

// The whole entry with its length. payload: at most kMaxPayloadBytes; prev: kHashBytes; key:
// kKeyBytes.
std::string EncodeEntry(const EntryHeader& header, absl::string_view payload,
                        absl::string_view prev, absl::string_view key);
// bytes: a whole entry with its length. DATA_LOSS: not one that EncodeEntry writes.
absl::StatusOr<Entry> DecodeEntry(absl::string_view bytes);
// How long the entry is whose first four bytes are given, itself included. DATA_LOSS: no entry has
// this length.
absl::StatusOr<size_t> EntryBytes(absl::string_view first_four);
inline constexpr size_t kLengthBytes = 4;

bool MacIsRight(absl::string_view bytes, absl::string_view key);
// What the next entry carries as prev.
std::string HashEntry(absl::string_view bytes);

}  // namespace bulkhead::audit
