#include "streaming/port_forward.h"

#include <sys/socket.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::streaming {
namespace {

using boost::system::error_code;

// How long one half of a pair waits for the other.
constexpr std::chrono::seconds kPairPatience{30};

}  // namespace

// One forwarded connection. Kept alive by its pumps.
struct PortForward::Pair {
  StreamPtr data, error;
  std::function<void()> on_end;
  std::shared_ptr<Source> source;
  std::shared_ptr<Sink> sink;
  bool over = false;

  void End() {
    if (std::exchange(over, true)) return;
    if (sink != nullptr) sink->Stop();
    if (source != nullptr) source->Stop();
    data->End();
    error->End();
    if (on_end != nullptr) on_end();
    source.reset();
    sink.reset();
  }
};

PortForward::PortForward(asio::io_context& io, BrokerLink& broker)
    : io_(io), broker_(broker), answers_(io) {
  if (absl::StatusOr<base::UniqueFd> copy = base::Duplicate(broker.fd()); copy.ok()) {
    answers_.assign(copy->Release());
  }
}

bool PortForward::AddStream(StreamPtr stream, const spdy::Headers& headers) {
  const std::string type = spdy::Find(headers, "streamtype");
  const std::string id = spdy::Find(headers, "requestid");
  uint32_t port = 0;
  if (!absl::SimpleAtoi(spdy::Find(headers, "port"), &port) || port < 1 || port > UINT16_MAX)
    return false;
  if ((type != "data" && type != "error") || id.empty() || id.size() > 64) return false;
  Half& half = halves_[id];
  StreamPtr& slot = type == "data" ? half.data : half.error;
  if (slot != nullptr || (half.port != 0 && half.port != port)) return false;
  slot = std::move(stream);
  half.port = static_cast<uint16_t>(port);
  if (half.data != nullptr && half.error != nullptr) {
    Forward(half.port, half.data, half.error, nullptr);
    halves_.erase(id);
    return true;
  }
  half.timer = std::make_unique<asio::steady_timer>(io_, kPairPatience);
  half.timer->async_wait([this, id](error_code error) {
    const auto found = halves_.find(id);
    if (error || found == halves_.end()) return;
    for (const StreamPtr& one : {found->second.data, found->second.error}) {
      if (one != nullptr) one->Abandon();
    }
    halves_.erase(found);
  });
  return true;
}

void PortForward::Forward(uint16_t port, StreamPtr data, StreamPtr error,
                          std::function<void()> on_end) {
  auto pair = std::make_shared<Pair>();
  pair->data = std::move(data);
  pair->error = std::move(error);
  pair->on_end = std::move(on_end);
  pair->error->Take(
      [stream = pair->error.get()](absl::string_view bytes) {
        stream->Consumed(bytes.size());  // nothing is expected here
      },
      [] {});
  waiting_.push_back({port, std::move(pair)});
  if (!asked_) AskNext();
}

void PortForward::AskNext() {
  while (!waiting_.empty()) {
    const Waiting& first = waiting_.front();
    const absl::Status status = broker_.AskConnect(first.port);
    if (status.ok()) break;
    Fail(*first.pair, first.port, status);
    waiting_.pop_front();
  }
  asked_ = !waiting_.empty();
  if (!asked_) return;
  answers_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code) {
    TakeAnswer();
    AskNext();
  });
}

void PortForward::TakeAnswer() {
  const Waiting first = std::move(waiting_.front());
  waiting_.pop_front();
  absl::StatusOr<base::UniqueFd> socket = broker_.TakeConnect();
  if (!socket.ok()) return Fail(*first.pair, first.port, socket.status());
  Begin(io_, first.pair, *std::move(socket));
}

void PortForward::Fail(const Pair& pair, uint16_t port, const absl::Status& why) {
  pair.error->Write(absl::StrCat("error forwarding port ", port, ": ", why.message()));
  const_cast<Pair&>(pair).End();
}

// Either side may stop sending before the other.
void PortForward::Begin(asio::io_context& io, const std::shared_ptr<Pair>& pair,
                        base::UniqueFd socket) {
  absl::StatusOr<base::UniqueFd> writer = base::Duplicate(socket.get());
  if (!writer.ok()) return Fail(*pair, 0, writer.status());
  const auto half_close = [pair] {
    if (!pair->over) shutdown(pair->sink->fd(), SHUT_WR);
  };
  pair->sink = Sink::Begin(io, *std::move(writer), pair->data, half_close, [pair] { pair->End(); });
  // The pod's end is the end of it all: the client has no other way to hear of it.
  pair->source = Source::Begin(io, std::move(socket), pair->data, [pair] { pair->End(); });
}

}  // namespace bulkhead::streaming
