#pragma once

#include <zlib.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::streaming::spdy {

using Headers = std::vector<std::pair<std::string, std::string>>;

// What one block of names and values may take, packed or not: a connection of ours has a few short
// ones.
inline constexpr size_t kMaxHeaderBytes = 64 << 10;
inline constexpr size_t kMaxHeaders = 64;

// The value of a name in lower case; empty where there is none.
std::string Find(const Headers& headers, absl::string_view name);

// Reads the header blocks of one connection, which share a zlib stream (SPDY/3.1, 2.6.10).
class HeaderReader {
 public:
  HeaderReader();
  ~HeaderReader();
  HeaderReader(const HeaderReader&) = delete;

  // DATA_LOSS for bad zlib data or a bad block, RESOURCE_EXHAUSTED for too much of it; the
  // connection cannot go on.
  absl::StatusOr<Headers> Read(absl::string_view block);

 private:
  absl::StatusOr<std::string> Inflate(absl::string_view block);

  z_stream stream_ = {};
  bool good_;
};

// Writes blocks, of one connection too.
class HeaderWriter {
 public:
  HeaderWriter();
  ~HeaderWriter();
  HeaderWriter(const HeaderWriter&) = delete;

  // headers: at most a few hundred bytes.
  std::string Write(const Headers& headers);

 private:
  z_stream stream_ = {};
  bool good_;
};

// What both ends of a connection preset their zlib streams with (SPDY/3.1, 2.6.10.1).
absl::string_view HeaderDictionary();

}  // namespace bulkhead::streaming::spdy
