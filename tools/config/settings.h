#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The configuration file. This program is the only one that reads TOML; everybody else gets the
// typed schema/config.capnp.
namespace bulkhead::tools {

inline constexpr char kDefaultConfigFile[] = "/etc/bulkhead/config.toml";
inline constexpr size_t kMaxConfigFileBytes = 1 << 20;

struct RuntimeSettings {
  std::string type = "oci";
  std::string path;  // absolute, clean
};

struct EndpointSettings {
  std::string host;  // host[:port]
  bool plain_http = false;
  bool skip_verify = false;
  std::string ca_file;  // absolute, clean; empty: the system's
};

// What the file says, with the defaults where it says nothing.
struct Settings {
  std::string root_dir = "/var/lib/bulkhead";
  std::string run_dir = "/run/bulkhead";
  std::string default_runtime = "crun";
  std::map<std::string, RuntimeSettings> runtimes = {{"crun", {"oci", "/usr/bin/crun"}}};
  std::string cni_conf_dir = "/etc/cni/net.d";
  std::vector<std::string> cni_bin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};
  // Ids of the node for pods' user namespaces; count 0: those of /etc/subuid.
  uint32_t subordinate_first = 0;
  uint32_t subordinate_count = 0;
  uint32_t cni_plugin_timeout = 30;  // seconds
  uint32_t cni_retry_max = 300;      // seconds
  std::string cni_ips_annotation;
  std::string cni_mac_annotation;
  std::map<std::string, std::vector<EndpointSettings>> registries;
  std::vector<uint32_t> allowed_uids;
  std::string sandbox_image;
  bool audit = true;
  bool audit_proceed = false;  // do what cannot be recorded
};

// Reads file, then file + ".d/*.toml" in name order: a later value replaces an earlier one, tables
// are merged. file empty: the default one, which may be missing. Each file must belong to root (or
// the caller) and be writable by nobody else. INVALID_ARGUMENT: "file:line: key 'a.b': cause";
// NOT_FOUND: no such file.
absl::StatusOr<Settings> LoadSettings(const std::string& file);

// Applies one file's text onto settings. file is for messages.
absl::Status ApplyToml(absl::string_view text, const std::string& file, Settings* settings);

// What can only be said of the whole: the default runtime exists, the directories are apart.
absl::Status CheckSettings(const Settings& settings);

}  // namespace bulkhead::tools
