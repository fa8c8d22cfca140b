#include "validate/pod.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "security/policy/plugin_name.h"
#include "security/policy/pod_ids.h"
#include "security/policy/sysctl.h"
#include "security/profile.h"
#include "validate/container.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

using schema::NamespaceMode;
using schema::PodConfig;
using schema::PortMapping;

constexpr size_t kMaxNameBytes = 253;
constexpr size_t kMaxHostnameBytes = 64;
constexpr size_t kMaxDnsEntries = 32;
constexpr size_t kMaxDnsOptionBytes = 255;
constexpr size_t kMaxPortMappings = 1024;
constexpr size_t kMaxSysctls = 64;
constexpr size_t kMaxSysctlBytes = 16 << 10;
constexpr size_t kMaxCgroupNameBytes = 255;
constexpr size_t kMaxHandlerBytes = 63;

absl::Status CheckMetadata(PodConfig::Reader config) {
  BULKHEAD_RETURN_IF_ERROR(
      CheckName("config.metadata.name", View(config.getName()), kMaxNameBytes));
  BULKHEAD_RETURN_IF_ERROR(
      CheckName("config.metadata.namespace", View(config.getNamespace()), kMaxNameBytes));
  BULKHEAD_RETURN_IF_ERROR(CheckName("config.metadata.uid", View(config.getUid()), kMaxNameBytes));
  if (config.getNetwork() == NamespaceMode::NODE) return absl::OkStatus();
  // CNI plugins get them in one text, CNI_ARGS.
  for (const auto& [field, text] :
       {std::pair("name", config.getName()), std::pair("namespace", config.getNamespace()),
        std::pair("uid", config.getUid())}) {
    if (security::IsPlainWord(View(text))) continue;
    return Refuse(absl::StrCat("config.metadata.", field),
                  "holds a character that is none of a-z, A-Z, 0-9, '.', '_' and '-'");
  }
  return absl::OkStatus();
}

// Labels of letters, digits and inner hyphens, joined by dots (RFC 1123).
absl::Status CheckHostname(absl::string_view hostname) {
  constexpr absl::string_view kField = "config.hostname";
  if (hostname.empty()) return absl::OkStatus();
  if (hostname.size() > kMaxHostnameBytes) {
    return Refuse(kField, absl::StrCat("longer than ", kMaxHostnameBytes, " bytes"));
  }
  for (absl::string_view label : absl::StrSplit(hostname, '.')) {
    const bool good = !label.empty() && label.front() != '-' && label.back() != '-' &&
                      std::all_of(label.begin(), label.end(),
                                  [](char c) { return absl::ascii_isalnum(c) || c == '-'; });
    if (!good) return Refuse(kField, "not a host name");
  }
  return absl::OkStatus();
}

// These become words of a line in resolv.conf: a blank would make two of one.
absl::Status CheckDnsWord(absl::string_view field, absl::string_view word) {
  BULKHEAD_RETURN_IF_ERROR(CheckName(field, word, kMaxDnsOptionBytes));
  const bool good = std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains(".:-_", c);
  });
  return good ? absl::OkStatus() : Refuse(field, "holds a character that is not allowed");
}

absl::Status CheckDnsServer(absl::string_view field, absl::string_view server) {
  // A link-local server comes with its interface: "fe80::1%eth0".
  const size_t percent = server.find('%');
  if (percent != absl::string_view::npos) {
    BULKHEAD_RETURN_IF_ERROR(CheckDnsWord(field, server.substr(percent + 1)));
  }
  return CheckAddress(field, server.substr(0, percent));
}

absl::Status CheckDns(PodConfig::Reader config) {
  constexpr absl::string_view kServers = "config.dns_config.servers";
  constexpr absl::string_view kSearches = "config.dns_config.searches";
  constexpr absl::string_view kOptions = "config.dns_config.options";
  BULKHEAD_RETURN_IF_ERROR(CheckCount(kServers, config.getDnsServers().size(), kMaxDnsEntries));
  BULKHEAD_RETURN_IF_ERROR(CheckCount(kSearches, config.getDnsSearches().size(), kMaxDnsEntries));
  BULKHEAD_RETURN_IF_ERROR(CheckCount(kOptions, config.getDnsOptions().size(), kMaxDnsEntries));
  for (const auto server : config.getDnsServers()) {
    BULKHEAD_RETURN_IF_ERROR(CheckDnsServer(kServers, View(server)));
  }
  for (const auto search : config.getDnsSearches()) {
    BULKHEAD_RETURN_IF_ERROR(CheckDnsWord(kSearches, View(search)));
  }
  for (const auto option : config.getDnsOptions()) {
    BULKHEAD_RETURN_IF_ERROR(CheckDnsWord(kOptions, View(option)));
  }
  return absl::OkStatus();
}

// Two wishes for one port of the node cannot both come true.
bool Collide(PortMapping::Reader a, PortMapping::Reader b) {
  if (a.getHostPort() == 0 || a.getHostPort() != b.getHostPort()) return false;
  if (a.getProtocol() != b.getProtocol()) return false;
  const auto any = [](absl::string_view ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; };
  const absl::string_view one = View(a.getHostIp()), other = View(b.getHostIp());
  return one == other || (any(one) && any(other) && (one.empty() || other.empty()));
}

absl::Status CheckPortMappings(capnp::List<PortMapping>::Reader mappings) {
  constexpr absl::string_view kField = "config.port_mappings";
  BULKHEAD_RETURN_IF_ERROR(CheckCount(kField, mappings.size(), kMaxPortMappings));
  for (size_t i = 0; i < mappings.size(); ++i) {
    const PortMapping::Reader mapping = mappings[i];
    const std::string field = absl::StrCat(kField, "[", i, "]");
    if (!IsKnown(mapping.getProtocol(), PortMapping::Protocol::SCTP)) {
      return Refuse(absl::StrCat(field, ".protocol"), "unknown");
    }
    if (mapping.getContainerPort() == 0) {
      return Refuse(absl::StrCat(field, ".container_port"), "must be 1 to 65535");
    }
    for (size_t earlier = 0; earlier < i; ++earlier) {
      if (Collide(mappings[static_cast<unsigned>(earlier)], mapping)) {
        return Refuse(absl::StrCat(field, ".host_port"), "asked for twice");
      }
    }
    if (mapping.getHostIp().size() != 0) {
      BULKHEAD_RETURN_IF_ERROR(
          CheckAddress(absl::StrCat(field, ".host_ip"), View(mapping.getHostIp())));
    }
  }
  return absl::OkStatus();
}

// A path of cgroupfs, or the name of a systemd slice.
absl::Status CheckCgroupParent(absl::string_view parent) {
  constexpr absl::string_view kField = "config.linux.cgroup_parent";
  if (parent.empty()) return absl::OkStatus();
  if (parent[0] == '/') return CheckPath(kField, parent);
  const bool good = absl::EndsWith(parent, ".slice") && parent.size() <= kMaxCgroupNameBytes &&
                    parent[0] != '.' && parent[0] != '-' &&
                    std::all_of(parent.begin(), parent.end(), [](char c) {
                      return absl::ascii_isalnum(c) || absl::StrContains(".:-_\\@", c);
                    });
  return good ? absl::OkStatus() : Refuse(kField, "neither an absolute path nor a .slice");
}

absl::Status CheckSysctls(PodConfig::Reader config) {
  constexpr absl::string_view kField = "config.linux.sysctls";
  BULKHEAD_RETURN_IF_ERROR(CheckMap(kField, config.getSysctls(), kMaxSysctls, kMaxSysctlBytes));
  const bool own_network = config.getNetwork() != NamespaceMode::NODE;
  const bool own_ipc = config.getIpc() != NamespaceMode::NODE;
  for (const auto sysctl : config.getSysctls()) {
    BULKHEAD_RETURN_IF_ERROR(security::CheckSysctl(View(sysctl.getKey()), View(sysctl.getValue()),
                                                   own_network, own_ipc));
  }
  return absl::OkStatus();
}

bool IsPodOrNode(NamespaceMode mode) {
  return mode == NamespaceMode::POD || mode == NamespaceMode::NODE;
}

absl::Status CheckUserNamespace(PodConfig::Reader config) {
  constexpr absl::string_view kField =
      "config.linux.security_context.namespace_options.userns_options";
  if (!IsPodOrNode(config.getUserNamespace())) {
    return Refuse(absl::StrCat(kField, ".mode"), "must be POD or NODE");
  }
  const schema::IdMapping::Reader mapping = config.getIdMapping();
  if (config.getUserNamespace() == NamespaceMode::NODE) {
    if (mapping.getLength() == 0) return absl::OkStatus();
    return Refuse(kField, "the node's user namespace has no mappings");
  }
  const bool has_init = config.getPid() == NamespaceMode::POD;
  if (has_init && mapping.getLength() > 0 && mapping.getLength() <= security::kMonitorUid) {
    return Refuse(absl::StrCat(kField, ".uids"),
                  absl::StrCat("a pod that shares its PID namespace needs more than ",
                               security::kMonitorUid, " ids, as its init has this one"));
  }
  const absl::Status ids = security::CheckPodIds(mapping.getHostId(), mapping.getLength());
  return ids.ok() ? ids : Refuse(absl::StrCat(kField, ".uids"), ids.message());
}

// What a pod may share with the node; containers share with the pod.
absl::Status CheckNamespaces(PodConfig::Reader config) {
  constexpr absl::string_view kField = "config.linux.security_context.namespace_options";
  if (!IsPodOrNode(config.getNetwork())) {
    return Refuse(absl::StrCat(kField, ".network"), "must be POD or NODE");
  }
  if (!IsPodOrNode(config.getIpc())) {
    return Refuse(absl::StrCat(kField, ".ipc"), "must be POD or NODE");
  }
  if (!IsPodOrNode(config.getPid()) && config.getPid() != NamespaceMode::CONTAINER) {
    return Refuse(absl::StrCat(kField, ".pid"), "must be POD, CONTAINER or NODE");
  }
  return CheckUserNamespace(config);
}

absl::Status CheckHandler(absl::string_view handler) {
  constexpr absl::string_view kField = "runtime_handler";
  const bool good =
      handler.size() <= kMaxHandlerBytes && std::all_of(handler.begin(), handler.end(), [](char c) {
        return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
      });
  return good ? absl::OkStatus() : Refuse(kField, "must be up to 63 of a-z, 0-9 and -");
}

}  // namespace

absl::Status CheckPodConfig(PodConfig::Reader config) {
  BULKHEAD_RETURN_IF_ERROR(CheckMetadata(config));
  BULKHEAD_RETURN_IF_ERROR(CheckHostname(View(config.getHostname())));
  if (config.getLogDirectory().size() != 0) {
    BULKHEAD_RETURN_IF_ERROR(CheckPath("config.log_directory", View(config.getLogDirectory())));
  }
  BULKHEAD_RETURN_IF_ERROR(CheckDns(config));
  BULKHEAD_RETURN_IF_ERROR(CheckPortMappings(config.getPortMappings()));
  BULKHEAD_RETURN_IF_ERROR(CheckLabels("config.labels", config.getLabels()));
  BULKHEAD_RETURN_IF_ERROR(CheckAnnotations("config.annotations", config.getAnnotations()));
  BULKHEAD_RETURN_IF_ERROR(CheckCgroupParent(View(config.getCgroupParent())));
  BULKHEAD_RETURN_IF_ERROR(CheckResources("config.linux.overhead", config.getOverhead()));
  BULKHEAD_RETURN_IF_ERROR(CheckResources("config.linux.resources", config.getResources()));
  BULKHEAD_RETURN_IF_ERROR(CheckSysctls(config));
  BULKHEAD_RETURN_IF_ERROR(CheckNamespaces(config));
  return CheckHandler(View(config.getHandler()));
}

}  // namespace bulkhead::validate
