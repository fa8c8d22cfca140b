#include "worker/fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>

#include "absl/strings/match.h"

namespace bulkhead::worker {
namespace {

// In host order.
bool IsOwnOrLinkLocal4(uint32_t ip) {
  return (ip >> 24) == 127 || (ip >> 24) == 0 || (ip >> 16) == 0xa9fe;
}

bool IsOwnOrLinkLocal6(const in6_addr& ip) {
  if (IN6_IS_ADDR_V4MAPPED(&ip) || IN6_IS_ADDR_V4COMPAT(&ip)) {
    uint32_t four;
    memcpy(&four, &ip.s6_addr[12], sizeof(four));
    return IsOwnOrLinkLocal4(ntohl(four));
  }
  return IN6_IS_ADDR_LOOPBACK(&ip) || IN6_IS_ADDR_UNSPECIFIED(&ip) || IN6_IS_ADDR_LINKLOCAL(&ip);
}

bool IsPrivate4(uint32_t ip) {
  return (ip >> 24) == 10 || (ip >> 20) == 0xac1 || (ip >> 16) == 0xc0a8 ||
         (ip >> 22) == (0x64400000 >> 22);
}

bool IsPrivate6(const in6_addr& ip) {
  if (IN6_IS_ADDR_V4MAPPED(&ip) || IN6_IS_ADDR_V4COMPAT(&ip)) {
    uint32_t four;
    memcpy(&four, &ip.s6_addr[12], sizeof(four));
    return IsPrivate4(ntohl(four));
  }
  return (ip.s6_addr[0] & 0xfe) == 0xfc;
}

}  // namespace

bool IsOwnOrLinkLocal(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in four;
    memcpy(&four, &address, sizeof(four));
    return IsOwnOrLinkLocal4(ntohl(four.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 six;
    memcpy(&six, &address, sizeof(six));
    return IsOwnOrLinkLocal6(six.sin6_addr);
  }
  return true;  // not the internet at all
}

bool IsPrivate(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in four;
    memcpy(&four, &address, sizeof(four));
    return IsPrivate4(ntohl(four.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 six;
    memcpy(&six, &address, sizeof(six));
    return IsPrivate6(six.sin6_addr);
  }
  return true;
}

absl::Status CheckForeign(const sockaddr& address, bool may_be_private) {
  if (IsOwnOrLinkLocal(address)) {
    return absl::PermissionDeniedError("was named by a registry and is at an address of this node");
  }
  if (!may_be_private && IsPrivate(address)) {
    return absl::PermissionDeniedError("was named by a registry and is at a private address");
  }
  return absl::OkStatus();
}

absl::Status CheckForeignName(const std::string& host, bool may_be_private) {
  sockaddr_in four = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    return CheckForeign(reinterpret_cast<sockaddr&>(four), may_be_private);
  }
  sockaddr_in6 six = {.sin6_family = AF_INET6};
  if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1) {
    return CheckForeign(reinterpret_cast<sockaddr&>(six), may_be_private);
  }
  if (host == "localhost" || absl::EndsWith(host, ".localhost")) {
    return absl::PermissionDeniedError("was named by a registry and is this node");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
