#include "streaming/connection.h"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "streaming/broker_link.h"
#include "streaming/health.h"
#include "streaming/request.h"
#include "streaming/served.h"
#include "streaming/tcp_carrier.h"
#include "streaming/wire.h"
#include "streaming/ws_carrier.h"

namespace bulkhead::streaming {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr size_t kMaxRequest = 64 << 10;
// From the first byte to the redeemed token.
constexpr std::chrono::seconds kRequestPatience{10};
constexpr char kSpdyVersion[] = "SPDY/3.1";
constexpr char kProtocolHeader[] = "X-Stream-Protocol-Version";

using Request = http::request<http::empty_body>;

absl::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

// All values of a header that may come several times.
std::string Joined(const Request& request, const std::string& name) {
  std::string all;
  const auto range = request.equal_range(name);
  for (auto field = range.first; field != range.second; ++field) {
    absl::StrAppend(&all, all.empty() ? "" : ",", View(field->value()));
  }
  return all;
}

bool IsSpdyUpgrade(const Request& request) {
  return absl::EqualsIgnoreCase(View(request[http::field::upgrade]), kSpdyVersion) &&
         http::token_list(request[http::field::connection]).exists("upgrade");
}

class Connection {
 public:
  Connection(asio::io_context& io, base::UniqueFd client, base::UniqueFd broker,
             asio::ssl::context* tls)
      : io_(io),
        wire_(tcp::socket(io, tcp::v6(), client.Release()), tls),
        broker_(std::move(broker)),
        deadline_(io) {}

  void Begin();

 private:
  void ReadRequest();
  void Handle();
  // Refuses with one of a few answers that tell nothing of what is there.
  void Refuse(http::status status, const char* why);
  // Only a token that is good for this may be used up, so everything else is looked at first.
  bool Redeem(const Target& target);
  void UpgradeSpdy(const Target& target);
  void UpgradeWebSocket(const Target& target);
  void Write(std::shared_ptr<http::response<http::string_body>> response,
             std::function<void()> then);
  void Stop() { io_.stop(); }

  asio::io_context& io_;
  Wire wire_;
  BrokerLink broker_;
  asio::steady_timer deadline_;
  std::optional<Health> health_;
  beast::flat_buffer buffer_{kMaxRequest};
  http::request_parser<http::empty_body> parser_;
  Grant grant_;
  std::string protocol_;
  std::optional<WebSocket> websocket_;
  std::unique_ptr<Carrier> carrier_;
  std::unique_ptr<Served> served_;
};

void Connection::Begin() {
  deadline_.expires_after(kRequestPatience);
  deadline_.async_wait([this](error_code error) {
    if (!error) Stop();
  });
  if (!wire_.has_tls()) return ReadRequest();
  wire_.AsyncHandshake([this](error_code error) {
    if (error) return Stop();
    ReadRequest();
  });
}

void Connection::ReadRequest() {
  parser_.header_limit(kMaxRequest);
  parser_.body_limit(uint64_t{0});
  http::async_read_header(wire_, buffer_, parser_, [this](error_code error, size_t) {
    if (error == http::error::end_of_stream) return Stop();
    if (error) return Refuse(http::status::bad_request, "400 bad request\n");
    Handle();
  });
}

void Connection::Handle() {
  const Request& request = parser_.get();
  const std::optional<Target> target = ParseTarget(View(request.target()));
  const bool method = request.method() == http::verb::get || request.method() == http::verb::post;
  if (!target || !method) return Refuse(http::status::not_found, "404 not found\n");
  if (beast::websocket::is_upgrade(request)) return UpgradeWebSocket(*target);
  if (IsSpdyUpgrade(request)) return UpgradeSpdy(*target);
  Refuse(http::status::bad_request, "400 bad request: this needs an upgrade\n");
}

bool Connection::Redeem(const Target& target) {
  absl::StatusOr<Grant> grant = broker_.Redeem(target.verb, target.token);
  if (!grant.ok()) {
    Refuse(http::status::not_found, "404 not found\n");
    return false;
  }
  grant_ = *std::move(grant);
  deadline_.cancel();
  health_.emplace(wire_, [this] { Stop(); });
  return true;
}

void Connection::Refuse(http::status status, const char* why) {
  auto response = std::make_shared<http::response<http::string_body>>(status, 11);
  response->set(http::field::content_type, "text/plain; charset=utf-8");
  response->set("X-Content-Type-Options", "nosniff");
  response->keep_alive(false);
  response->body() = why;
  response->prepare_payload();
  Write(response, [this] {
    wire_.Shutdown();
    // Until the client has closed, so that it sees the answer; at most until the deadline.
    auto rest = std::make_shared<std::array<char, 4096>>();
    auto read = std::make_shared<std::function<void()>>();
    *read = [this, rest, read] {
      wire_.async_read_some(asio::buffer(*rest), [this, rest, read](error_code error, size_t) {
        if (error) return Stop();
        (*read)();
      });
    };
    (*read)();
  });
}

void Connection::Write(std::shared_ptr<http::response<http::string_body>> response,
                       std::function<void()> then) {
  http::async_write(wire_, *response, [this, response, then](error_code error, size_t) {
    // "Need to close" is how Beast says that the response has said so.
    if (error && error != http::error::end_of_stream) return Stop();
    then();
  });
}

void Connection::UpgradeSpdy(const Target& target) {
  const std::string offered = Joined(parser_.get(), kProtocolHeader);
  protocol_ = Choose(offered, SpdyProtocols(target.verb));
  // The first version of all is not named.
  if (offered.empty()) protocol_ = std::string(SpdyProtocols(target.verb).back());
  if (protocol_.empty()) return Refuse(http::status::forbidden, "403 no such protocol\n");
  if (!Redeem(target)) return;
  auto response =
      std::make_shared<http::response<http::string_body>>(http::status::switching_protocols, 11);
  response->set(http::field::connection, "Upgrade");
  response->set(http::field::upgrade, kSpdyVersion);
  if (!offered.empty()) response->set(kProtocolHeader, protocol_);
  Write(response, [this] {
    const beast::flat_buffer::const_buffers_type early = buffer_.data();
    carrier_ = std::make_unique<TcpCarrier>(
        wire_, std::string(static_cast<const char*>(early.data()), early.size()));
    served_ = ServeSpdy(io_, broker_, grant_, protocol_, *carrier_, [this] { Stop(); });
  });
}

void Connection::UpgradeWebSocket(const Target& target) {
  const std::string offered = Joined(parser_.get(), "Sec-WebSocket-Protocol");
  protocol_ = Choose(offered, WebSocketProtocols(target.verb));
  const bool tunnel = protocol_ == kTunnelProtocol;
  const std::string chosen = protocol_;
  if (offered.empty() && target.verb != schema::StreamVerb::PORT_FORWARD) {
    protocol_ = "channel.k8s.io";
  }
  if (protocol_.empty()) return Refuse(http::status::forbidden, "403 no such protocol\n");
  if (!Redeem(target)) return;
  websocket_.emplace(wire_);
  LimitWebSocket(*websocket_);
  websocket_->set_option(
      beast::websocket::stream_base::decorator([chosen](beast::websocket::response_type& response) {
        if (!chosen.empty()) response.set(http::field::sec_websocket_protocol, chosen);
      }));
  websocket_->async_accept(parser_.get(), [this, tunnel](error_code error) {
    if (error) return Stop();
    carrier_ = std::make_unique<WsCarrier>(*websocket_);
    const auto on_end = [this] { Stop(); };
    served_ = tunnel ? ServeSpdy(io_, broker_, grant_, protocol_, *carrier_, on_end)
                     : ServeChannels(io_, broker_, grant_, protocol_, *carrier_, on_end);
  });
}

}  // namespace

void ServeConnection(base::UniqueFd client, base::UniqueFd broker, asio::ssl::context* tls) {
  asio::io_context io(1);
  Connection connection(io, std::move(client), std::move(broker), tls);
  connection.Begin();
  io.run();
  // Whatever is still under way ends with the process.
  _exit(0);
}

}  // namespace bulkhead::streaming
