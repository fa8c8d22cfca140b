#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/inflate/inflate.h"

namespace bulkhead::worker {

// The blob's range in pieces, in order.
class BlobReader {
 public:
  // Descriptors stay the caller's.
  BlobReader(int fd, BlobRange range, Growing growing);

  // Empty at the end; each piece has 512 bytes at least, but for the last. DATA_LOSS: the blob is
  // complete and ends before the range does.
  absl::StatusOr<absl::string_view> Next();

 private:
  // Until there may be more. False: the blob is complete.
  absl::StatusOr<bool> WaitForMore();

  int fd_;
  uint64_t at_;
  uint64_t left_;
  int complete_;  // -1: it is
  std::vector<char> buffer_;
};

}  // namespace bulkhead::worker
