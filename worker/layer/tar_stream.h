#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/parse/sha256.h"

struct archive;

namespace bulkhead::worker {

// A tar on a pipe for libarchive, hashed and counted as it is read.
class TarStream {
 public:
  // fd stays the caller's.
  TarStream(int fd, uint64_t max_bytes);
  ~TarStream();
  TarStream(const TarStream&) = delete;

  absl::Status Open();
  archive* get() const { return archive_; }
  // What libarchive says has gone wrong: DATA_LOSS, or what reading failed with.
  absl::Status Error() const;
  // Reads to the end: also the padding after the tar belongs to what the diffID is the digest of.
  absl::Status Drain();
  // Once, after Drain.
  std::string Digest() { return hash_.Finish(); }

 private:
  static ssize_t OnRead(archive* a, void* self, const void** bytes);
  // 0 at the end, -1 with status_ set.
  ssize_t Read();

  int fd_;
  uint64_t left_;
  archive* archive_ = nullptr;
  std::vector<char> buffer_;
  Sha256 hash_;
  absl::Status status_;
};

}  // namespace bulkhead::worker
