#pragma once

#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"

namespace bulkhead::base {

// Owns one file descriptor, always close-on-exec, and closes it.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Gives up ownership: for exec, for passing to a library that closes it.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

struct FdPair {
  UniqueFd first;
  UniqueFd second;
};

// Read end first, write end second.
absl::StatusOr<FdPair> MakePipe();
// type: SOCK_STREAM or SOCK_SEQPACKET.
absl::StatusOr<FdPair> MakeSocketPair(int type);
absl::StatusOr<UniqueFd> Duplicate(int fd);
// A sealed, read-only memfd with these bytes (no write, grow or shrink).
absl::StatusOr<UniqueFd> MakeSealedMemfd(const char* name, absl::string_view bytes);

}  // namespace bulkhead::base
