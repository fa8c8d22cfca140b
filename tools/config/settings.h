#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "security/policy/pod_policy.h"
#include "tools/config/registry_settings.h"

// The configuration file. This program is the only one that reads TOML; everybody else gets the
// typed schema/config.capnp.
namespace bulkhead::tools {

inline constexpr char kDefaultConfigFile[] = "/etc/bulkhead/config.toml";
inline constexpr char kDefaultPolicyFile[] = "/etc/bulkhead/policy.toml";
inline constexpr size_t kMaxConfigFileBytes = 1 << 20;

struct RuntimeSettings {
  std::string type = "oci";
  std::string path;                      // absolute, clean; of type lxc: of Bulkhead's own program
  bool user_namespace_optional = false;  // type lxc alone
};

// Which images run in which runtime, where the pod names no handler.
struct ImageRuleSettings {
  std::string pattern;
  std::string runtime;
  std::string preset;  // of which preset it comes; empty: the file's own
};

// How layers are stored and what they may cost; schema/config.capnp says what each means.
struct LayerSettings {
  std::string driver = "auto";  // or "dir", "erofs"
  uint64_t parallel = 0;        // 0: by the number of processors
  uint64_t max_bytes = uint64_t{64} << 30;
  uint64_t max_entries = 2'000'000;
  uint64_t max_ratio = 1100;  // deflate cannot do better than 1032
  uint64_t max_depth = 256;
  uint64_t max_xattr_bytes = 64 << 10;
  uint64_t max_cpu_seconds = 1800;
  uint64_t max_seconds = 3600;
  uint64_t max_image_bytes = uint64_t{128} << 30;
  uint64_t max_image_entries = 4'000'000;
};

struct StreamingSettings {
  std::string address = "127.0.0.1";
  uint16_t port = 0;     // 0: the kernel's choice
  std::string tls_cert;  // absolute, clean; empty: no TLS
  std::string tls_key;
  bool forward_to_node = false;
};

// One rule of the policy's table [images]: schema/policy.capnp.
struct TrustRuleSettings {
  std::string match;
  std::string action;
  std::vector<std::string> key_files;
  std::vector<std::string> keys;  // what the files hold
  std::vector<std::string> identities;
};

struct ImagePolicySettings {
  std::string default_action = "allow";
  std::vector<TrustRuleSettings> rules;
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
  std::map<std::string, RegistrySettings> registries;  // by host[:port]; "*": all others
  PullSettings pulls;
  std::vector<uint32_t> allowed_uids;
  std::string sandbox_image;
  bool audit = true;
  bool audit_proceed = false;                  // do what cannot be recorded
  std::vector<ImageRuleSettings> image_rules;  // in order; those of presets after the file's own
  std::vector<std::string> image_rule_presets;
  std::string seccomp_root;
  std::vector<std::string> cdi_spec_dirs = {"/etc/cdi", "/var/run/cdi"};
  std::vector<std::string> cdi_hooks;
  LayerSettings layers;
  StreamingSettings streaming;
  bool keep_layers = true;                 // as they came, for export
  std::vector<std::string> pinned_images;  // globs
  std::string policy_file;                 // empty: the default one, which may be missing
  ImagePolicySettings image_policy;
  security::PodPolicies pod_policies;  // of LoadSettings: complete
  std::string cgroup_driver = "auto";  // "auto", "cgroupfs" or "systemd"
};

// The rules of a preset; empty: there is none of that name.
std::vector<ImageRuleSettings> ImageRulePreset(absl::string_view name);
// The file's own rules, then those of its presets.
std::vector<ImageRuleSettings> AllImageRules(const Settings& settings);
// That each names a runtime that there is.
absl::Status CheckImageRules(const Settings& settings);

// Reads file, then file + ".d/*.toml" in name order: a later value replaces an earlier one, tables
// are merged. file empty: the default one, which may be missing. Each file must belong to root (or
// the caller) and be writable by nobody else. INVALID_ARGUMENT: "file:line: key 'a.b': cause";
// NOT_FOUND: no such file. Then the policy file, in the same way.
absl::StatusOr<Settings> LoadSettings(const std::string& file);

// Applies one file's text onto settings. file is for messages.
absl::Status ApplyToml(absl::string_view text, const std::string& file, Settings* settings);

// The same for the policy file. The keys that it names are read by LoadSettings.
absl::Status ApplyPolicyToml(absl::string_view text, const std::string& file, Settings* settings);
// Whether each rule is complete, and its keys (read already) are public keys that can sign.
absl::Status CheckImagePolicy(const ImagePolicySettings& policy);

// What can only be said of the whole: the default runtime exists, the directories are apart.
absl::Status CheckSettings(const Settings& settings);

}  // namespace bulkhead::tools
