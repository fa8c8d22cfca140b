#include "worker/container/config.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cgroup_path.h"
#include "base/status.h"
#include "worker/container/config_parts.h"

namespace bulkhead::container {
namespace {

using nlohmann::json;

// Debian 12's crun takes 1.0.x only.
constexpr char kOciVersion[] = "1.0.2";

// A wrong path must not put a container among others' limits.
absl::Status CheckCgroup(schema::ContainerSpec::Reader spec, const Facts& facts) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, base::CgroupPath(spec.getCgroup().cStr()));
  if (absl::StrContains(path.substr(path.rfind('/')), facts.container_id)) return absl::OkStatus();
  return absl::InvalidArgumentError("cgroup: does not end in the container's id");
}

}  // namespace

absl::StatusOr<std::string> TextOf(const char* field, capnp::Text::Reader text) {
  const std::string value(text.cStr(), text.size());
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(field, ": empty"));
  if (absl::StrContains(value, absl::string_view("\0", 1))) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": holds a NUL byte"));
  }
  return value;
}

absl::StatusOr<std::string> Serialize(const json& document) {
  std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  // What was replaced reads back as something else.
  if (json::parse(text, nullptr, false) != document) {
    return absl::InvalidArgumentError("a string is not UTF-8, which the runtime cannot take");
  }
  return text;
}

absl::StatusOr<json> ConfigObject(schema::ContainerSpec::Reader spec, const Facts& facts) {
  BULKHEAD_RETURN_IF_ERROR(CheckCgroup(spec, facts));
  json config;
  config["ociVersion"] = kOciVersion;
  BULKHEAD_ASSIGN_OR_RETURN(config["process"], ProcessObject(spec.getProcess(), facts));
  config["root"] = {{"path", absl::StrCat(facts.bundle, "/rootfs")},
                    {"readonly", spec.getReadOnlyRootfs()}};
  if (spec.getHostname().size() > 0) {
    BULKHEAD_ASSIGN_OR_RETURN(config["hostname"], TextOf("hostname", spec.getHostname()));
  }
  BULKHEAD_ASSIGN_OR_RETURN(config["mounts"], MountsArray(spec, facts));
  BULKHEAD_ASSIGN_OR_RETURN(config["linux"], LinuxObject(spec, facts));
  if (spec.getHooks().size() > 0) {
    BULKHEAD_ASSIGN_OR_RETURN(config["hooks"], HooksObject(spec.getHooks()));
  }
  // The only annotation, and a constant: crun would put the container into a cgroup below its
  // scope, with limits that later ones of the scope cannot raise.
  if (absl::StrContains(spec.getCgroup().cStr(), ":")) {
    config["annotations"] = {{"run.oci.systemd.subgroup", ""}};
  }
  return config;
}

absl::StatusOr<std::string> ConfigJson(schema::ContainerSpec::Reader spec, const Facts& facts) {
  BULKHEAD_ASSIGN_OR_RETURN(const json config, ConfigObject(spec, facts));
  return Serialize(config);
}

absl::StatusOr<std::string> ProcessJson(schema::Process::Reader process, const Facts& facts,
                                        uint64_t message_queues) {
  BULKHEAD_ASSIGN_OR_RETURN(json object, ProcessObject(process, facts));
  if (message_queues != 0) {
    const json limit = {
        {"type", "RLIMIT_MSGQUEUE"}, {"soft", message_queues}, {"hard", message_queues}};
    object["rlimits"] = json::array({limit});
  }
  return Serialize(object);
}

}  // namespace bulkhead::container
