#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::worker {

// The part of a file that holds one compressed layer, in bytes.
struct BlobRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct InflateLimits {
  uint64_t max_bytes = 0;  // uncompressed
  uint32_t max_ratio = 0;  // uncompressed to compressed, from 1 MiB on; 0: no rule
};

struct Inflated {
  std::string digest;  // SHA-256 of the compressed bytes, 32 bytes
  uint64_t bytes = 0;  // uncompressed
};

// Where the blob comes from while it is still being written: see Inflate.
struct Growing {
  // A pipe's read end, whose other end is closed when the blob is complete; -1: it is from the
  // start.
  int complete = -1;
};

// Hashes and decompresses the range of blob (a regular file) and writes it to out (a pipe; SIGPIPE
// must be ignored). Both fds stay the caller's. DATA_LOSS: damaged, cut short or followed by
// something else; RESOURCE_EXHAUSTED: over a limit; ABORTED: the pipe's reader is gone;
// INVALID_ARGUMENT: another format.
//
// With growing, bytes that the blob does not have yet are waited for, until it is complete. What is
// hashed is what was decompressed, so the digest is right whatever is written to the blob
// meanwhile.
absl::StatusOr<Inflated> Inflate(int blob, BlobRange range, int out, const InflateLimits& limits,
                                 Growing growing = {});

}  // namespace bulkhead::worker
