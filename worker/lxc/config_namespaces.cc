#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "worker/lxc/parts.h"

namespace bulkhead::lxc {
namespace {

using nlohmann::json;
using Source = schema::ContainerSpec::Namespaces::Source;

// OCI's word and liblxc's.
absl::StatusOr<std::string> NameOf(const std::string& type) {
  if (type == "mount") return "mnt";
  if (type == "network") return "net";
  for (const char* same : {"user", "ipc", "uts", "pid", "cgroup"}) {
    if (type == same) return type;
  }
  return Refuse(absl::StrCat("linux.namespaces.", type), "is not supported");
}

// The library joins the user namespace first, and has then no power over what is the node's.
absl::Status CheckNodes(schema::ContainerSpec::Namespaces::Reader ns) {
  if (ns.getUser() != Source::POD) return absl::OkStatus();
  for (Source source : {ns.getNetwork(), ns.getIpc(), ns.getUts(), ns.getPid()}) {
    if (source != Source::HOST) continue;
    return Refuse("config.linux.security_context.namespace_options",
                  "the node's network, IPC or PID namespace in a pod with a user namespace is not "
                  "supported");
  }
  return absl::OkStatus();
}

absl::Status AddMapping(const Inputs& in, Lines* lines) {
  if (in.spec.getNamespaces().getUser() != Source::POD) return absl::OkStatus();
  const schema::IdMapping::Reader mapping = in.spec.getIdMapping();
  for (const char* kind : {"u", "g"}) {
    BULKHEAD_RETURN_IF_ERROR(lines->Add(
        "lxc.idmap", absl::StrCat(kind, " 0 ", mapping.getHostId(), " ", mapping.getLength())));
  }
  return absl::OkStatus();
}

}  // namespace

// What is new is listed; what is the node's is neither, but for the network, as the library's
// process has one of its own.
absl::Status AddNamespaces(const Inputs& in, Lines* lines) {
  BULKHEAD_RETURN_IF_ERROR(CheckNodes(in.spec.getNamespaces()));
  std::vector<std::string> fresh;
  bool network = false;
  for (const json& entry : in.config["linux"]["namespaces"]) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string name, NameOf(entry["type"]));
    if (name == "net") network = true;
    if (!entry.contains("path")) {
      fresh.push_back(name);
      continue;
    }
    BULKHEAD_RETURN_IF_ERROR(
        lines->Add(absl::StrCat("lxc.namespace.share.", name), entry["path"].get<std::string>()));
  }
  if (!network) {
    BULKHEAD_RETURN_IF_ERROR(
        lines->Add("lxc.namespace.share.net", absl::StrCat("/proc/", in.net_pid, "/ns/net")));
  }
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.namespace.clone", absl::StrJoin(fresh, " ")));
  // Only where the namespace is new: the library sets the name of whatever one it is in.
  if (in.config.contains("hostname")) {
    BULKHEAD_RETURN_IF_ERROR(
        lines->Add("lxc.uts.name", in.config["hostname"].get<std::string>(), "config.hostname"));
  }
  return AddMapping(in, lines);
}

}  // namespace bulkhead::lxc
