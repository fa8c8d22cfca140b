#include "worker/cni/runtime_config.h"

#include "base/status.h"

namespace bulkhead::cni {
namespace {

using schema::PortMapping;
using worker::Json;

constexpr unsigned kMaxPortMappings = 1024;

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

}  // namespace

absl::StatusOr<Json> RuntimeConfig(schema::CniJob::Reader job) {
  Json config = Json::object();
  BULKHEAD_ASSIGN_OR_RETURN(Json mappings, PortMappings(job.getPortMappings()));
  if (!mappings.empty()) config["portMappings"] = std::move(mappings);
  Json dns = Json::object();
  AddWords("servers", job.getDnsServers(), &dns);
  AddWords("searches", job.getDnsSearches(), &dns);
  AddWords("options", job.getDnsOptions(), &dns);
  if (!dns.empty()) config["dns"] = std::move(dns);
  if (job.getCgroupPath().size() > 0) config["cgroupPath"] = job.getCgroupPath().cStr();
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
