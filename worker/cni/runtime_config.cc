#include "worker/cni/runtime_config.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::cni {
namespace {

using schema::PortMapping;
using worker::Json;

constexpr unsigned kMaxPortMappings = 1024;
// How much may pass at once: as much as the bandwidth plugin takes, since Kubernetes names a rate
// alone.
constexpr uint64_t kBurstBits = 0x7fffffff;

absl::StatusOr<const char*> ProtocolName(PortMapping::Protocol protocol) {
  switch (protocol) {
    case PortMapping::Protocol::TCP:
      return "tcp";
    case PortMapping::Protocol::UDP:
      return "udp";
    case PortMapping::Protocol::SCTP:
      return "sctp";
  }
  return absl::InvalidArgumentError("config.port_mappings: unknown protocol");
}

absl::StatusOr<Json> PortMappings(capnp::List<PortMapping>::Reader mappings) {
  if (mappings.size() > kMaxPortMappings) {
    return absl::InvalidArgumentError("config.port_mappings: too many");
  }
  Json list = Json::array();
  for (const auto mapping : mappings) {
    if (mapping.getHostPort() == 0) continue;
    BULKHEAD_ASSIGN_OR_RETURN(const char* protocol, ProtocolName(mapping.getProtocol()));
    Json entry = {{"hostPort", mapping.getHostPort()},
                  {"containerPort", mapping.getContainerPort()},
                  {"protocol", protocol}};
    if (mapping.getHostIp().size() > 0) entry["hostIP"] = mapping.getHostIp().cStr();
    list.push_back(std::move(entry));
  }
  return list;
}

void AddWords(const char* key, capnp::List<capnp::Text>::Reader words, Json* object) {
  if (words.size() == 0) return;
  Json list = Json::array();
  for (const auto word : words) list.push_back(word.cStr());
  (*object)[key] = std::move(list);
}

Json Dns(schema::NetworkCapabilities::Reader from) {
  Json dns = Json::object();
  AddWords("servers", from.getDnsServers(), &dns);
  AddWords("searches", from.getDnsSearches(), &dns);
  AddWords("options", from.getDnsOptions(), &dns);
  return dns;
}

void AddRate(const char* direction, uint64_t bits_per_second, Json* bandwidth) {
  if (bits_per_second == 0) return;
  (*bandwidth)[absl::StrCat(direction, "Rate")] = bits_per_second;
  (*bandwidth)[absl::StrCat(direction, "Burst")] = kBurstBits;
}

Json Bandwidth(schema::NetworkCapabilities::Reader from) {
  Json bandwidth = Json::object();
  AddRate("ingress", from.getIngressBitsPerSecond(), &bandwidth);
  AddRate("egress", from.getEgressBitsPerSecond(), &bandwidth);
  return bandwidth;
}

// Each subnet is a range set of its own: the pod gets an address of each.
Json IpRanges(schema::NetworkCapabilities::Reader from) {
  Json sets = Json::array();
  for (const auto subnet : from.getIpRanges()) {
    sets.push_back(Json::array({Json{{"subnet", subnet.cStr()}}}));
  }
  return sets;
}

void AddUnlessEmpty(const char* key, Json value, Json* object) {
  if (!value.empty()) (*object)[key] = std::move(value);
}

}  // namespace

absl::StatusOr<Json> RuntimeConfig(schema::NetworkCapabilities::Reader from) {
  Json config = Json::object();
  BULKHEAD_ASSIGN_OR_RETURN(Json mappings, PortMappings(from.getPortMappings()));
  AddUnlessEmpty("portMappings", std::move(mappings), &config);
  AddUnlessEmpty("dns", Dns(from), &config);
  AddUnlessEmpty("bandwidth", Bandwidth(from), &config);
  AddUnlessEmpty("ipRanges", IpRanges(from), &config);
  AddWords("ips", from.getIps(), &config);
  if (from.getMac().size() > 0) config["mac"] = from.getMac().cStr();
  if (from.getCgroupPath().size() > 0) config["cgroupPath"] = from.getCgroupPath().cStr();
  return config;
}

Json DeclaredPart(const Json& plugin, const Json& runtime_config) {
  Json part = Json::object();
  const Json* capabilities = worker::Member(plugin, "capabilities");
  if (capabilities == nullptr || !capabilities->is_object()) return part;
  for (const auto& [capability, declared] : capabilities->items()) {
    const bool* yes = declared.get_ptr<const bool*>();
    const Json* value = worker::Member(runtime_config, capability.c_str());
    if (yes != nullptr && *yes && value != nullptr) part[capability] = *value;
  }
  return part;
}

}  // namespace bulkhead::cni
