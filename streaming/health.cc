#include "streaming/health.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace bulkhead::streaming {
namespace {

using boost::system::error_code;

constexpr std::chrono::seconds kEvery{2};
// A silent connection is asked whether it lives after this many seconds, then every so many, so
// many times.
constexpr int kKeepIdle = 4;
constexpr int kKeepInterval = 2;
constexpr int kKeepCount = 2;
// One that does not acknowledge what was sent: some six seconds on a quick network, more on a slow
// one.
constexpr unsigned kMostRetries = 5;
// kubelet's own limit for a stream without traffic.
constexpr unsigned kLongestSilence = 4 * 3600 * 1000;

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

bool GetInfo(Wire& wire, tcp_info* info) {
  socklen_t size = sizeof(*info);
  return getsockopt(wire.socket().native_handle(), IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

}  // namespace

bool HasUnacknowledged(Wire& wire) {
  tcp_info info = {};
  return GetInfo(wire, &info) && info.tcpi_unacked > 0;
}

Health::Health(Wire& wire, std::function<void()> on_lost)
    : wire_(wire), timer_(wire.get_executor()), on_lost_(std::move(on_lost)) {
  const int fd = wire_.socket().native_handle();
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdle);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepInterval);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  Look();
}

// A client that closes its connection is gone, even where it is not read from just now: neither
// protocol has a half-closed connection.
void Health::Look() {
  tcp_info info = {};
  if (GetInfo(wire_, &info)) {
    const bool closed = info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_CLOSE_WAIT ||
                        info.tcpi_state == TCP_LAST_ACK;
    const bool deaf = info.tcpi_retransmits >= kMostRetries || info.tcpi_probes >= kMostRetries;
    const bool silent =
        std::min(info.tcpi_last_data_recv, info.tcpi_last_data_sent) > kLongestSilence;
    if (closed || deaf || silent) return on_lost_();
  }
  timer_.expires_after(kEvery);
  timer_.async_wait([this](error_code error) {
    if (!error) Look();
  });
}

}  // namespace bulkhead::streaming
