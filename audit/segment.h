#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "audit/entry.h"
#include "base/unique_fd.h"

namespace bulkhead::audit {

// A log is a directory of segments, each named by the seq of its first entry: "%020u.log".
struct SegmentName {
  uint64_t first_seq = 0;
  std::string name;
};
std::string NameOfSegment(uint64_t first_seq);
// In order. Other files are none of ours. directory: opened for reading.
absl::StatusOr<std::vector<SegmentName>> ListSegments(int directory);

// Reads a segment entry by entry, in memory for one.
class SegmentReader {
 public:
  explicit SegmentReader(base::UniqueFd fd) : fd_(std::move(fd)) {}
  // The bytes of the next entry; empty at the end. DATA_LOSS: what is left is no whole entry.
  absl::StatusOr<std::string> Next();
  // The last count bytes of the segment. OUT_OF_RANGE: it has fewer.
  absl::StatusOr<std::string> Tail(size_t count);
  // Where the next entry begins.
  off_t offset() const { return offset_; }

 private:
  base::UniqueFd fd_;
  off_t offset_ = 0;
};

}  // namespace bulkhead::audit
