#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::cni {

using worker::Json;

inline constexpr size_t kMaxConfigBytes = 64 << 10;
// Of a document, which has each name and bracket once more at most.
inline constexpr size_t kMaxDocumentBytes = 128 << 10;
inline constexpr size_t kMaxPlugins = 16;

// A network: an ordered chain of plugins.
struct NetworkConfig {
  std::string name;
  std::string version;
  std::vector<Json> plugins;  // objects, each with a good "type"
  Json document;              // all of it, in the form of a list
  bool disable_check = false;
  bool disable_gc = false;
};

// A configuration file: a list where the name ends in .conflist, else one plugin's configuration,
// which becomes a list of one. INVALID_ARGUMENT names the field; RESOURCE_EXHAUSTED: too long.
absl::StatusOr<NetworkConfig> ParseConfig(absl::string_view file_name, absl::string_view text);
// The same for the document of an earlier NetworkConfig, as text.
absl::StatusOr<NetworkConfig> ConfigFromDocument(absl::string_view text);

// What a plugin gets on its standard input. runtime_config, previous_result: null for none.
Json PluginInput(const NetworkConfig& config, size_t plugin, const Json& runtime_config,
                 const Json& previous_result);
std::string PluginType(const NetworkConfig& config, size_t plugin);

// One line of JSON.
std::string ToText(const Json& json);

}  // namespace bulkhead::cni
