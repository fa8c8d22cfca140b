#include "streaming/served.h"

#include <optional>

#include "absl/strings/match.h"
#include "streaming/channel_link.h"
#include "streaming/command.h"
#include "streaming/port_forward.h"
#include "streaming/request.h"
#include "streaming/spdy_link.h"

namespace bulkhead::streaming {
namespace {

using boost::system::error_code;
using schema::StreamVerb;

constexpr std::chrono::seconds kStreamsPatience{30};
constexpr size_t kCommandStreams = 8;
constexpr size_t kForwardStreams = 512;  // two for each connection

std::unique_ptr<Command> MakeCommand(asio::io_context& io, const Grant& grant,
                                     CommandStreams streams, const std::string& protocol,
                                     std::function<void()> finish) {
  const bool json = HasJsonStatus(protocol);
  return grant.verb == StreamVerb::EXEC
             ? MakeExec(io, grant, std::move(streams), json, std::move(finish))
             : MakeAttach(io, grant, std::move(streams), json, std::move(finish));
}

// Not from within an event of the link.
void StartLater(asio::io_context& io, BrokerLink& broker, Command& command) {
  asio::post(io, [&broker, &command] {
    absl::StatusOr<std::vector<base::UniqueFd>> fds = broker.Start();
    broker.Close();
    if (!fds.ok()) return command.FinishWith(fds.status());
    const absl::Status begun = command.Begin(*std::move(fds));
    if (!begun.ok()) command.FinishWith(begun);
  });
}

class SpdyCommand : public Served {
 public:
  SpdyCommand(asio::io_context& io, BrokerLink& broker, const Grant& grant,
              const std::string& protocol, Carrier& carrier, std::function<void()> on_end)
      : io_(io),
        broker_(broker),
        grant_(grant),
        protocol_(protocol),
        deadline_(io, kStreamsPatience),
        link_(carrier, kCommandStreams,
              {.on_stream = [this](StreamPtr stream,
                                   const spdy::Headers& headers) { return Add(stream, headers); },
               .on_gone = std::move(on_end)}) {
    deadline_.async_wait([this](error_code error) {
      if (!error) link_.Finish();
    });
  }

 private:
  bool Add(const StreamPtr& stream, const spdy::Headers& headers) {
    const std::string type = spdy::Find(headers, "streamtype");
    const std::pair<absl::string_view, StreamPtr*> slots[] = {{"error", &streams_.error},
                                                              {"stdin", &streams_.in},
                                                              {"stdout", &streams_.out},
                                                              {"stderr", &streams_.err},
                                                              {"resize", &streams_.resize}};
    for (const auto& [name, slot] : slots) {
      if (type != name || *slot != nullptr || command_ != nullptr) continue;
      *slot = stream;
      BeginIfComplete();
      return true;
    }
    return false;
  }

  void BeginIfComplete() {
    // Versions before the third have no resize stream.
    const bool resizes = grant_.tty && (HasJsonStatus(protocol_) || protocol_[1] == '3');
    const bool complete = streams_.error != nullptr && (streams_.in != nullptr) == grant_.in &&
                          (streams_.out != nullptr) == grant_.out &&
                          (streams_.err != nullptr) == grant_.err &&
                          (streams_.resize != nullptr) == resizes;
    if (!complete) return;
    deadline_.cancel();
    command_ = MakeCommand(io_, grant_, streams_, protocol_, [this] { link_.Finish(); });
    StartLater(io_, broker_, *command_);
  }

  asio::io_context& io_;
  BrokerLink& broker_;
  const Grant grant_;
  const std::string protocol_;
  asio::steady_timer deadline_;
  CommandStreams streams_;
  std::unique_ptr<Command> command_;
  SpdyLink link_;
};

class SpdyForward : public Served {
 public:
  SpdyForward(asio::io_context& io, BrokerLink& broker, Carrier& carrier,
              std::function<void()> on_end)
      : forward_(io, broker),
        link_(carrier, kForwardStreams,
              {.on_stream =
                   [this](StreamPtr stream, const spdy::Headers& headers) {
                     return forward_.AddStream(stream, headers);
                   },
               .on_gone = std::move(on_end)}) {}

 private:
  PortForward forward_;
  SpdyLink link_;
};

class ChannelCommand : public Served {
 public:
  ChannelCommand(asio::io_context& io, BrokerLink& broker, const Grant& grant,
                 const std::string& protocol, Carrier& carrier, std::function<void()> on_end)
      : link_(carrier,
              {.channels = 5,
               .base64 = absl::StrContains(protocol, "base64"),
               .can_close = absl::StartsWith(protocol, "v5.")},
              std::move(on_end)) {
    enum { kIn, kOut, kErr, kError, kResize };
    CommandStreams streams = {.error = link_.channel(kError)};
    if (grant.in) streams.in = link_.channel(kIn);
    if (grant.out) streams.out = link_.channel(kOut);
    if (grant.err) streams.err = link_.channel(kErr);
    streams.resize = link_.channel(kResize);
    link_.Greet(grant.out ? kOut : grant.err ? kErr : kError);
    command_ = MakeCommand(io, grant, streams, protocol, [this] { link_.Finish(); });
    StartLater(io, broker, *command_);
  }

 private:
  ChannelLink link_;
  std::unique_ptr<Command> command_;
};

// Two channels for each port that was named, and one connection for each.
class ChannelForward : public Served {
 public:
  ChannelForward(asio::io_context& io, BrokerLink& broker, const Grant& grant,
                 const std::string& protocol, Carrier& carrier, std::function<void()> on_end)
      : forward_(io, broker),
        link_(carrier,
              {.channels = 2 * grant.ports.size(), .base64 = absl::StrContains(protocol, "base64")},
              std::move(on_end)),
        left_(grant.ports.size()) {
    for (size_t i = 0; i < grant.ports.size(); ++i) {
      const uint16_t port = grant.ports[i];
      const char number[] = {static_cast<char>(port & 0xff), static_cast<char>(port >> 8)};
      for (size_t channel : {2 * i, 2 * i + 1}) link_.channel(channel)->Write({number, 2});
      forward_.Forward(port, link_.channel(2 * i), link_.channel(2 * i + 1), [this] {
        if (--left_ == 0) link_.Finish();
      });
    }
    if (left_ == 0) link_.Finish();
  }

 private:
  PortForward forward_;
  ChannelLink link_;
  size_t left_;
};

}  // namespace

std::unique_ptr<Served> ServeSpdy(asio::io_context& io, BrokerLink& broker, const Grant& grant,
                                  const std::string& protocol, Carrier& carrier,
                                  std::function<void()> on_end) {
  if (grant.verb == StreamVerb::PORT_FORWARD) {
    return std::make_unique<SpdyForward>(io, broker, carrier, std::move(on_end));
  }
  return std::make_unique<SpdyCommand>(io, broker, grant, protocol, carrier, std::move(on_end));
}

std::unique_ptr<Served> ServeChannels(asio::io_context& io, BrokerLink& broker, const Grant& grant,
                                      const std::string& protocol, Carrier& carrier,
                                      std::function<void()> on_end) {
  if (grant.verb == StreamVerb::PORT_FORWARD) {
    return std::make_unique<ChannelForward>(io, broker, grant, protocol, carrier,
                                            std::move(on_end));
  }
  return std::make_unique<ChannelCommand>(io, broker, grant, protocol, carrier, std::move(on_end));
}

}  // namespace bulkhead::streaming
