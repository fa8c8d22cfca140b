#include "worker/cni/config.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "security/policy/plugin_name.h"
#include "worker/cni/runtime_config.h"
#include "worker/cni/version.h"

namespace bulkhead::cni {
namespace {

using worker::Member;
using worker::StringMember;

constexpr size_t kMaxNameBytes = 128;

absl::Status Refuse(absl::string_view field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

// Plugins make files and firewall comments of it.
bool IsNetworkName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && absl::ascii_isalnum(name[0]) &&
         security::IsPlainWord(name);
}

absl::Status CheckType(absl::string_view field, const Json& object) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string type, StringMember(object, "type"));
  if (security::IsPluginName(type)) return absl::OkStatus();
  return Refuse(field, "not the name of a plugin");
}

absl::Status CheckPlugin(size_t index, const Json& plugin) {
  const std::string field = absl::StrCat("plugins[", index, "]");
  if (!plugin.is_object()) return Refuse(field, "not an object");
  BULKHEAD_RETURN_IF_ERROR(CheckType(absl::StrCat(field, ".type"), plugin));
  BULKHEAD_RETURN_IF_ERROR(
      base::Annotate(worker::ObjectMember(plugin, "capabilities").status(), field));
  // The plugin will run it by this name (CVE-2021-20206).
  const Json* ipam = Member(plugin, "ipam");
  if (ipam == nullptr || Member(*ipam, "type") == nullptr) return absl::OkStatus();
  return CheckType(absl::StrCat(field, ".ipam.type"), *ipam);
}

Json AsList(Json plugin) {
  Json list = Json::object();
  for (const char* key : {"name", "cniVersion", "cniVersions"}) {
    if (const Json* value = Member(plugin, key)) list[key] = *value;
  }
  list["plugins"] = Json::array({std::move(plugin)});
  return list;
}

// "cniVersions" offers several; the latest that we speak is taken.
absl::StatusOr<std::string> ChooseVersion(const Json& document) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string version, StringMember(document, "cniVersion"));
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* more,
                            worker::ArrayMember(document, "cniVersions"));
  std::vector<std::string> offered = {version};
  for (const Json& entry : *more) {
    if (entry.is_string()) offered.push_back(*entry.get_ptr<const Json::string_t*>());
  }
  std::string chosen = LatestSupported(offered);
  if (!chosen.empty()) return chosen;
  return Refuse("cniVersion", "missing, or not one of 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
}

// libcni takes the word for the truth value as well.
bool IsTrue(const Json& document, const char* key) {
  const Json* value = Member(document, key);
  if (value == nullptr) return false;
  const bool* truth = value->get_ptr<const bool*>();
  const auto* word = value->get_ptr<const Json::string_t*>();
  return (truth != nullptr && *truth) || (word != nullptr && *word == "true");
}

absl::StatusOr<NetworkConfig> FromDocument(Json document) {
  if (!document.is_object()) return Refuse("configuration", "not an object");
  NetworkConfig config;
  BULKHEAD_ASSIGN_OR_RETURN(config.name, StringMember(document, "name"));
  if (!IsNetworkName(config.name)) return Refuse("name", "missing, or not the name of a network");
  BULKHEAD_ASSIGN_OR_RETURN(config.version, ChooseVersion(document));
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* plugins, worker::ArrayMember(document, "plugins"));
  if (plugins->empty() || plugins->size() > kMaxPlugins) {
    return Refuse("plugins", absl::StrCat("must be 1 to ", kMaxPlugins));
  }
  for (const Json& plugin : *plugins) {
    BULKHEAD_RETURN_IF_ERROR(CheckPlugin(config.plugins.size(), plugin));
    config.plugins.push_back(plugin);
  }
  config.disable_check = IsTrue(document, "disableCheck");
  config.disable_gc = IsTrue(document, "disableGC");
  config.document = std::move(document);
  return config;
}

}  // namespace

absl::StatusOr<NetworkConfig> ConfigFromDocument(absl::string_view text) {
  if (text.size() > kMaxDocumentBytes) {
    return absl::ResourceExhaustedError("configuration: over 128 KiB");
  }
  BULKHEAD_ASSIGN_OR_RETURN(Json json, worker::ParseStrictJson(text));
  return FromDocument(std::move(json));
}

absl::StatusOr<NetworkConfig> ParseConfig(absl::string_view file_name, absl::string_view text) {
  if (text.size() > kMaxConfigBytes) {
    return absl::ResourceExhaustedError("configuration: over 64 KiB");
  }
  BULKHEAD_ASSIGN_OR_RETURN(Json json, worker::ParseStrictJson(text));
  if (!json.is_object()) return Refuse("configuration", "not an object");
  if (!absl::EndsWith(file_name, ".conflist")) json = AsList(std::move(json));
  return FromDocument(std::move(json));
}

Json PluginInput(const NetworkConfig& config, size_t plugin, const Json& runtime_config,
                 const Json& previous_result) {
  Json input = config.plugins[plugin];
  input["name"] = config.name;
  input["cniVersion"] = config.version;
  // Ours to say, whatever the file has.
  input.erase("runtimeConfig");
  input.erase("prevResult");
  Json declared = DeclaredPart(config.plugins[plugin], runtime_config);
  if (!declared.empty()) input["runtimeConfig"] = std::move(declared);
  if (!previous_result.is_null()) input["prevResult"] = previous_result;
  return input;
}

std::string PluginType(const NetworkConfig& config, size_t plugin) {
  return StringMember(config.plugins[plugin], "type").value_or("");
}

std::string ToText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace bulkhead::cni
