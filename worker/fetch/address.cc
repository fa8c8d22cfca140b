#include "worker/fetch/address.h"

#include <netinet/in.h>

#include <cstdint>
#include <cstring>

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

}  // namespace bulkhead::worker
