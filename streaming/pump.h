#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "streaming/link.h"
#include "streaming/wire.h"

// Between a descriptor (a pipe, a terminal, a socket) and a stream of the client's. Each keeps
// itself alive while it has something under way; Stop ends it.
namespace bulkhead::streaming {

// From the descriptor to the client, as fast as the client takes it.
class Source : public std::enable_shared_from_this<Source> {
 public:
  // on_end: nothing more comes, after the last byte was given to the stream.
  static std::shared_ptr<Source> Begin(asio::io_context& io, base::UniqueFd fd, StreamPtr stream,
                                       std::function<void()> on_end);
  void Stop();
  // How many bytes have been read so far.
  uint64_t read() const { return read_; }
  // Whether it waits for the client and not for the descriptor.
  bool blocked() const { return !ended_ && !pending_; }

 private:
  Source(asio::io_context& io, base::UniqueFd fd, StreamPtr stream, std::function<void()> on_end);
  void Read();
  void End();

  asio::posix::stream_descriptor fd_;
  StreamPtr stream_;
  std::function<void()> on_end_;
  static constexpr size_t kBufferBytes = 64 << 10;
  // Not set to zero: memory that nothing was read into yet takes none.
  const std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  uint64_t read_ = 0;
  bool pending_ = false;
  bool ended_ = false;
};

// From the client to the descriptor.
class Sink : public std::enable_shared_from_this<Sink> {
 public:
  // on_end: the client has sent its last byte, and it was written. The descriptor stays open until
  // this is stopped. Where nobody reads the other end any more, the rest is dropped. on_reset: the
  // client has given up the stream. Both are called later, never from within Begin.
  static std::shared_ptr<Sink> Begin(asio::io_context& io, base::UniqueFd fd, StreamPtr stream,
                                     std::function<void()> on_end,
                                     std::function<void()> on_reset = nullptr);
  void Stop();
  int fd() { return fd_.native_handle(); }

 private:
  Sink(asio::io_context& io, base::UniqueFd fd, StreamPtr stream, std::function<void()> on_end);
  void Take(absl::string_view bytes);
  void Write();
  void EndIfDone();

  asio::posix::stream_descriptor fd_;
  StreamPtr stream_;
  std::function<void()> on_end_;
  std::function<void()> on_reset_;
  std::string pending_;  // at most kMaxUnused, which the link sees to
  std::string writing_;
  size_t written_ = 0;  // of writing_
  bool client_ended_ = false;
  bool broken_ = false;
};

}  // namespace bulkhead::streaming
