#pragma once

#include <cstdint>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ipc/message.h"

// The head of a Cap'n Proto message: u32 segment count less one, then each segment's size in words,
// padded to whole words. Arithmetic is in 64 bits, so that a count of 0xffffffff does not wrap.
namespace bulkhead::ipc {

inline constexpr size_t kTablePrefixBytes = 4;

inline uint64_t TableWord(absl::Span<const uint8_t> table, size_t index) {
  uint32_t value;
  memcpy(&value, table.data() + index * sizeof(value), sizeof(value));
  return value;
}

// Length of the table whose first kTablePrefixBytes are given. DATA_LOSS: more than kMaxSegments.
inline absl::StatusOr<size_t> SegmentTableBytes(absl::Span<const uint8_t> prefix) {
  const uint64_t count = TableWord(prefix, 0) + 1;
  if (count > kMaxSegments) return absl::DataLossError("message: too many segments");
  return static_cast<size_t>((count / 2 + 1) * 8);
}

// What a whole table announces to follow it.
inline uint64_t SegmentBodyBytes(absl::Span<const uint8_t> table) {
  const uint64_t count = TableWord(table, 0) + 1;
  uint64_t words = 0;
  for (uint64_t i = 0; i < count; ++i) words += TableWord(table, 1 + i);
  return words * 8;
}

}  // namespace bulkhead::ipc
