#include "tests/support/stream_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "streaming/spdy/bytes.h"

namespace bulkhead::test {

using streaming::spdy::Append16;
using streaming::spdy::Append32;
using streaming::spdy::Load32;

StreamConnection::StreamConnection(const std::string& url) {
  const size_t host = url.find("//") + 2, slash = url.find('/', host),
               colon = url.rfind(':', slash);
  int port = 0;
  sockaddr_in address = {.sin_family = AF_INET};
  if (slash == std::string::npos ||
      !absl::SimpleAtoi(url.substr(colon + 1, slash - colon - 1), &port)) {
    closed_ = true;
    return;
  }
  path_ = url.substr(slash);
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, url.substr(host, colon - host).c_str(), &address.sin_addr);
  fd_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  closed_ = connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0;
}

bool StreamConnection::SendRaw(const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = send(fd_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    done += static_cast<size_t>(put);
  }
  return true;
}

bool StreamConnection::ReadSome(absl::Duration patience) {
  if (closed_) return false;
  pollfd entry = {fd_.get(), POLLIN, 0};
  const int64_t ms = std::max<int64_t>(0, absl::ToInt64Milliseconds(patience));
  if (poll(&entry, 1, static_cast<int>(ms)) <= 0) return false;
  char bytes[64 << 10];
  const ssize_t got = recv(fd_.get(), bytes, sizeof(bytes), 0);
  if (got <= 0) {
    closed_ = true;
    return false;
  }
  buffer_.append(bytes, static_cast<size_t>(got));
  return true;
}

std::string StreamConnection::Request(const std::string& method, const HeaderLines& headers) {
  return RequestTarget(method, path_, headers);
}

std::string StreamConnection::RequestTarget(const std::string& method, const std::string& target,
                                            const HeaderLines& headers) {
  std::string request = absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: node\r\n");
  for (const auto& [name, value] : headers) absl::StrAppend(&request, name, ": ", value, "\r\n");
  if (!SendRaw(request + "\r\n")) return "";
  while (!absl::StrContains(buffer_, "\r\n\r\n") && ReadSome(absl::Seconds(20))) {
  }
  const size_t end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) return "";
  std::string head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  if (absl::StrContains(head, " 101 ")) return head;
  while (ReadSome(absl::Seconds(20))) {
  }
  return head + buffer_;
}

bool SpdyClient::Upgrade(const std::string& protocol) {
  return absl::StartsWith(Request("POST", {{"Connection", "Upgrade"},
                                           {"Upgrade", "SPDY/3.1"},
                                           {"Content-Length", "0"},
                                           {"X-Stream-Protocol-Version", protocol}}),
                          "HTTP/1.1 101 ");
}

bool SpdyClient::Control(uint16_t type, const std::string& payload) {
  std::string frame;
  Append16(&frame, 0x8003);
  Append16(&frame, type);
  Append32(&frame, static_cast<uint32_t>(payload.size()));
  return SendRaw(frame + payload);
}

bool SpdyClient::Open(uint32_t stream, const streaming::spdy::Headers& headers) {
  std::string payload;
  Append32(&payload, stream);
  Append32(&payload, 0);
  Append16(&payload, 0);
  return Control(1, payload + writer_.Write(headers));
}

bool SpdyClient::Send(uint32_t stream, const std::string& bytes) {
  std::string frame;
  Append32(&frame, stream);
  Append32(&frame, static_cast<uint32_t>(bytes.size()));
  return SendRaw(frame + bytes);
}

bool SpdyClient::End(uint32_t stream) {
  std::string frame;
  Append32(&frame, stream);
  Append32(&frame, 1u << 24);
  return SendRaw(frame);
}

void SpdyClient::TakeFrames() {
  size_t at = 0;
  while (buffer_.size() - at >= 8) {
    const uint32_t first = Load32(buffer_.data() + at), second = Load32(buffer_.data() + at + 4);
    const size_t size = second & 0xffffff;
    if (buffer_.size() - at - 8 < size) break;
    const std::string payload = buffer_.substr(at + 8, size);
    at += 8 + size;
    if ((first >> 31) == 0) {
      data_[first] += payload;
      if ((second >> 24) & 1) ended_[first] = true;
    } else if ((first & 0xffff) == 3 && size >= 8) {
      reset_[Load32(payload.data())] = true;
    }
  }
  buffer_.erase(0, at);
}

bool WebSocketClient::Upgrade(const std::string& protocol) {
  HeaderLines headers = {{"Connection", "Upgrade"},
                         {"Upgrade", "websocket"},
                         {"Sec-WebSocket-Version", "13"},
                         {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  if (!protocol.empty()) headers.emplace_back("Sec-WebSocket-Protocol", protocol);
  const std::string head = Request("GET", headers);
  return absl::StartsWith(head, "HTTP/1.1 101 ") &&
         absl::StrContains(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") &&
         (protocol.empty() ||
          absl::StrContains(head, "Sec-WebSocket-Protocol: " + protocol + "\r\n"));
}

bool WebSocketClient::Frame(uint8_t opcode, const std::string& payload) {
  std::string frame(1, static_cast<char>(0x80 | opcode));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= UINT16_MAX) {
    frame += static_cast<char>(0x80 | 126);
    Append16(&frame, static_cast<uint16_t>(payload.size()));
  } else {
    frame += static_cast<char>(0x80 | 127);
    Append32(&frame, 0);
    Append32(&frame, static_cast<uint32_t>(payload.size()));
  }
  constexpr char kMask[] = {1, 2, 3, 4};
  frame.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return SendRaw(frame);
}

bool WebSocketClient::Send(uint32_t channel, const std::string& bytes) {
  if (base64) return Frame(1, absl::StrCat(channel, absl::Base64Escape(bytes)));
  return Frame(2, std::string(1, static_cast<char>(channel)) + bytes);
}

bool WebSocketClient::End(uint32_t channel) {
  return Frame(2, std::string("\xff") + static_cast<char>(channel));
}

void WebSocketClient::TakeFrames() {
  size_t at = 0;
  while (buffer_.size() - at >= 2) {
    const uint8_t opcode = buffer_[at] & 0xf;
    size_t size = buffer_[at + 1] & 0x7f, header = 2;
    if (size == 126) header = 4;
    if (size == 127) header = 10;
    if (buffer_.size() - at < header) break;
    if (size == 126) size = streaming::spdy::Load16(buffer_.data() + at + 2);
    if (size == 127) size = Load32(buffer_.data() + at + 6);
    if (buffer_.size() - at - header < size) break;
    const std::string payload = buffer_.substr(at + header, size);
    at += header + size;
    if (opcode == 8) {
      Frame(8, payload.substr(0, 2));
      closed_ = true;
    }
    if ((opcode != 1 && opcode != 2) || payload.empty()) continue;
    std::string bytes = payload.substr(1);
    if (base64) absl::Base64Unescape(payload.substr(1), &bytes);
    data_[static_cast<uint8_t>(payload[0]) - (base64 ? '0' : 0)] += bytes;
  }
  buffer_.erase(0, at);
}

}  // namespace bulkhead::test
