#include "tools/up/streaming_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"

namespace bulkhead::tools {
namespace {

constexpr int kBacklog = 512;
constexpr size_t kMaxPemBytes = 256 << 10;

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// family AF_UNSPEC where text is no address, which the configuration's check has seen to.
Address ParseAddress(const std::string& text, uint16_t port) {
  Address address = {};
  if (inet_pton(AF_INET, text.c_str(), &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(port);
  } else if (inet_pton(AF_INET6, text.c_str(), &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
  }
  return address;
}

socklen_t SizeOf(const Address& address) {
  return address.any.sa_family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
}

bool IsLoopback(const Address& address) {
  if (address.any.sa_family == AF_INET) return ntohl(address.v4.sin_addr.s_addr) >> 24 == 127;
  return IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
}

// What a client on this node can connect to: the wildcard addresses are none.
std::string HostOf(const Address& address, const std::string& text) {
  if (address.any.sa_family == AF_INET) {
    return address.v4.sin_addr.s_addr == INADDR_ANY ? "127.0.0.1" : text;
  }
  return IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr) ? "[::1]" : absl::StrCat("[", text, "]");
}

absl::StatusOr<std::string> ReadPem(const std::string& path, mode_t forbidden) {
  BULKHEAD_ASSIGN_OR_RETURN(
      base::UniqueFd fd, base::OpenAt(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, base::Resolve::kHost));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return base::ErrnoStatus(absl::StrCat("stat ", path));
  if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & forbidden) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": not a file of root's, or open to too many"));
  }
  return base::ReadAll(fd.get(), kMaxPemBytes);
}

absl::StatusOr<base::UniqueFd> ReadTls(const StreamingSettings& settings) {
  if (settings.tls_cert.empty()) return base::UniqueFd();
  BULKHEAD_ASSIGN_OR_RETURN(const std::string certificate, ReadPem(settings.tls_cert, 022));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string key, ReadPem(settings.tls_key, 077));
  return base::MakeSealedMemfd("streaming-tls", absl::StrCat(certificate, "\n", key));
}

}  // namespace

absl::StatusOr<StreamingSocket> ListenForStreams(const StreamingSettings& settings) {
  const std::string where = absl::StrCat("streaming: ", settings.address, " port ", settings.port);
  Address address = ParseAddress(settings.address, settings.port);
  StreamingSocket streaming;
  BULKHEAD_ASSIGN_OR_RETURN(streaming.tls, ReadTls(settings));
  base::UniqueFd fd(
      socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd) return base::ErrnoStatus(where);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  socklen_t size = SizeOf(address);
  if (bind(fd.get(), &address.any, size) != 0 || listen(fd.get(), kBacklog) != 0 ||
      getsockname(fd.get(), &address.any, &size) != 0) {
    return base::ErrnoStatus(where);
  }
  if (!IsLoopback(address) && !streaming.tls) {
    base::Log(base::Severity::kWarning, "streams are served beyond this node without TLS",
              {{"address", settings.address}});
  }
  // The port is in the same place in both.
  streaming.url = absl::StrCat(streaming.tls ? "https" : "http", "://",
                               HostOf(address, settings.address), ":", ntohs(address.v4.sin_port));
  streaming.listen = std::move(fd);
  return streaming;
}

}  // namespace bulkhead::tools
