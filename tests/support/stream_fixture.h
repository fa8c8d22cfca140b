#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/fixture.h"
#include "tests/support/stream_client.h"

namespace bulkhead::test {

// SPDY's stream numbers as OpenCommand opens them, and a WebSocket's channels.
enum SpdyStream : uint32_t { kError = 1, kOut = 3, kErr = 5, kIn = 7, kResize = 9 };
enum Channel : uint32_t { kChannelIn, kChannelOut, kChannelErr, kChannelError, kChannelResize };

inline constexpr char kSuccess[] = R"({"metadata":{},"status":"Success"})";

// What the node's processes take up.
struct Footprint {
  size_t processes = 0;
  size_t fds = 0;
  uint64_t kib = 0;  // PSS
};

// One pod with one container, and URLs into it.
class StreamTest : public NodeTest {
 protected:
  // Started; in pod_.
  std::string StartContainer(std::vector<std::string> command, bool in = false, bool tty = false,
                             bool once = false);
  absl::StatusOr<std::string> ExecUrl(const std::string& container, std::vector<std::string> argv,
                                      bool in = false, bool tty = false);
  absl::StatusOr<std::string> AttachUrl(const std::string& container, bool in, bool tty);
  absl::StatusOr<std::string> ForwardUrl(std::vector<int> ports = {});

  // A SPDY client with the streams of a command open.
  std::unique_ptr<SpdyClient> OpenCommand(const absl::StatusOr<std::string>& url, bool in = false,
                                          bool tty = false,
                                          const std::string& protocol = "v4.channel.k8s.io");

  Footprint TakeFootprint();
  // Whether within ten seconds no more processes and descriptors are left than before, and no more
  // memory than an allocator keeps.
  bool Settles(const Footprint& before);
  // An exec, on which whatever was before must not have any effect.
  void ExpectServes(const std::string& container);

  std::string pod_;
};

std::ostream& operator<<(std::ostream& out, const Footprint& footprint);

}  // namespace bulkhead::test
