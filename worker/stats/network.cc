#include "worker/stats/network.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <cstring>
#include <string>
#include <vector>

namespace bulkhead::stats {
namespace {

constexpr size_t kBufferBytes = 64 << 10;
constexpr int kPatienceMs = 1000;
constexpr size_t kMaxInterfaces = 64;
constexpr int kMaxMessages = 4096;

struct Interface {
  std::string name;
  rtnl_link_stats64 counters = {};
};

bool Ask(int socket, uint32_t sequence) {
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } request = {};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = sequence;
  return send(socket, &request, sizeof(request), MSG_DONTWAIT) == sizeof(request);
}

// Lengths are checked by RTA_OK, so that a message that is cut says less and nothing wrong.
void TakeLink(const nlmsghdr* message, std::vector<Interface>* found) {
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return;
  const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  if ((link->ifi_flags & IFF_LOOPBACK) != 0 || found->size() >= kMaxInterfaces) return;
  Interface one;
  int left = static_cast<int>(message->nlmsg_len - NLMSG_LENGTH(sizeof(ifinfomsg)));
  for (const rtattr* attribute = IFLA_RTA(link); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    const size_t size = RTA_PAYLOAD(attribute);
    const auto* data = static_cast<const char*>(RTA_DATA(attribute));
    if (attribute->rta_type == IFLA_IFNAME) {
      one.name.assign(data, strnlen(data, std::min<size_t>(size, IFNAMSIZ)));
    } else if (attribute->rta_type == IFLA_STATS64) {
      memcpy(&one.counters, data, std::min(size, sizeof(one.counters)));
    }
  }
  if (!one.name.empty()) found->push_back(std::move(one));
}

// True where the answer is complete, or over by an error.
bool TakeDatagram(const char* buffer, size_t size, uint32_t sequence,
                  std::vector<Interface>* found) {
  unsigned left = static_cast<unsigned>(size);
  for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer); NLMSG_OK(message, left);
       message = NLMSG_NEXT(message, left)) {
    if (message->nlmsg_seq != sequence) continue;  // of a question that nobody awaits any more
    if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) return true;
    if (message->nlmsg_type == RTM_NEWLINK) TakeLink(message, found);
  }
  return false;
}

std::vector<Interface> ReadAll(int socket, uint32_t sequence) {
  std::vector<Interface> found;
  alignas(nlmsghdr) static char buffer[kBufferBytes];
  for (int i = 0; i < kMaxMessages; ++i) {
    pollfd entry = {socket, POLLIN, 0};
    if (poll(&entry, 1, kPatienceMs) != 1) break;
    const ssize_t size = recv(socket, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (size <= 0 || TakeDatagram(buffer, static_cast<size_t>(size), sequence, &found)) break;
  }
  return found;
}

void Fill(const Interface& from, schema::NetworkUsage::Interface::Builder to) {
  to.setName(from.name);
  to.setRxBytes(from.counters.rx_bytes);
  to.setRxPackets(from.counters.rx_packets);
  to.setRxErrors(from.counters.rx_errors);
  to.setRxDropped(from.counters.rx_dropped);
  to.setTxBytes(from.counters.tx_bytes);
  to.setTxPackets(from.counters.tx_packets);
  to.setTxErrors(from.counters.tx_errors);
  to.setTxDropped(from.counters.tx_dropped);
}

}  // namespace

void ReadNetwork(int socket, schema::NetworkUsage::Builder usage) {
  timespec now = {}, tick = {};
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_MONOTONIC, &tick);
  usage.setTimestampNs(int64_t{now.tv_sec} * 1000000000 + now.tv_nsec);
  // Different from that of the last who asked this socket.
  const auto sequence = static_cast<uint32_t>(tick.tv_nsec ^ (tick.tv_sec << 10)) | 1;
  if (!Ask(socket, sequence)) return;
  const std::vector<Interface> found = ReadAll(socket, sequence);
  auto interfaces = usage.initInterfaces(static_cast<unsigned>(found.size()));
  for (unsigned i = 0; i < found.size(); ++i) Fill(found[i], interfaces[i]);
}

}  // namespace bulkhead::stats
