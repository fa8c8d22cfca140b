#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/config/registry_settings.h"

// The trees of hosts.toml files that containerd's users have (containerd, docs/hosts.md): a
// directory per registry, named "host", "host:port", "host_port_" or "_default".
namespace bulkhead::tools {

inline constexpr size_t kMaxHostsFileBytes = 1 << 20;

// Adds the registries of one tree. Those that are known already stay: who comes first wins. A tree
// that is missing adds nothing. INVALID_ARGUMENT "file:line: key 'a.b': cause".
absl::Status LoadRegistryTree(const std::string& root,
                              std::map<std::string, RegistrySettings>* registries);

// One hosts.toml. directory: what its relative paths are relative to. Keys that nobody here knows
// are ignored, as containerd ignores them, and named in unknown ("file:line: key").
absl::StatusOr<RegistrySettings> ParseHostsToml(absl::string_view text, const std::string& file,
                                                const std::string& directory,
                                                std::vector<std::string>* unknown);

// "host" for a directory's name: "example.com_5000_" is "example.com:5000", "_default" is "*".
// Empty: the name means no registry.
std::string RegistryOfDirectory(absl::string_view name);

}  // namespace bulkhead::tools
