#include "tools/config/encode.h"

#include <capnp/serialize.h>

#include "tools/config/layers.h"

namespace bulkhead::tools {
namespace {

constexpr char kUserAgent[] = "bulkhead/" BULKHEAD_VERSION;

template <typename List>
void EncodeTexts(const std::vector<std::string>& texts, List list) {
  for (size_t i = 0; i < texts.size(); ++i) list.set(i, texts[i]);
}

void EncodeFeatures(const RuntimeFeatures& features, schema::Runtime::Features::Builder out) {
  out.setKnown(features.known);
  out.setOciVersionMax(features.oci_version_max);
  out.setIdmapMounts(features.idmap_mounts);
  EncodeTexts(features.seccomp_flags, out.initSeccompFlags(features.seccomp_flags.size()));
}

void EncodeRuntimes(const Settings& settings, const FoundRuntimes& found_runtimes,
                    schema::Config::Builder out) {
  auto list = out.initRuntimes(settings.runtimes.size());
  unsigned i = 0;
  for (const auto& [name, runtime] : settings.runtimes) {
    schema::Runtime::Builder entry = list[i++];
    entry.setName(name);
    entry.setType(runtime.type == "lxc" ? schema::Runtime::Type::LXC : schema::Runtime::Type::OCI);
    entry.setPath(runtime.path);
    entry.setUserNamespaceOptional(runtime.user_namespace_optional);
    auto found = found_runtimes.find(name);
    if (found == found_runtimes.end()) continue;
    entry.setVersion(found->second.version);
    EncodeFeatures(found->second.features, entry.initFeatures());
  }
}

void EncodePulls(const PullSettings& pulls, schema::Pulls::Builder out) {
  out.setAtOnce(static_cast<uint16_t>(pulls.at_once));
  out.setDeadlineSeconds(pulls.deadline_seconds);
  out.setMinimumBytesPerSecond(pulls.minimum_bytes_per_second);
  out.setMinimumWindowSeconds(pulls.minimum_window_seconds);
}

void EncodeAudit(const Settings& settings, schema::Audit::Builder out) {
  out.setOn(settings.audit);
  out.setProceed(settings.audit_proceed);
}

void EncodeImageRules(const Settings& settings, schema::Config::Builder out) {
  const std::vector<ImageRuleSettings> rules = AllImageRules(settings);
  auto list = out.initImageRules(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    list[i].setPattern(rules[i].pattern);
    list[i].setRuntime(rules[i].runtime);
    list[i].setPreset(rules[i].preset);
  }
}

schema::Host::CgroupMode Encode(base::CgroupMode mode) {
  switch (mode) {
    case base::CgroupMode::kV1:
      return schema::Host::CgroupMode::V1;
    case base::CgroupMode::kHybrid:
      return schema::Host::CgroupMode::HYBRID;
    case base::CgroupMode::kV2:
      return schema::Host::CgroupMode::V2;
  }
  return schema::Host::CgroupMode::V1;
}

void EncodeHost(const Host& host, schema::Host::Builder out) {
  out.setCgroupMode(Encode(host.cgroup_mode));
  out.setCgroupDriver(host.systemd_driver ? schema::Host::CgroupDriver::SYSTEMD
                                          : schema::Host::CgroupDriver::CGROUPFS);
  out.setKernel(host.kernel);
  out.setHostname(host.hostname);
  out.setSelinux(host.selinux);
  out.setApparmor(host.apparmor);
}

}  // namespace

void EncodeConfig(const Settings& settings, const Host& host, const FoundRuntimes& found_runtimes,
                  schema::Config::Builder out) {
  out.setRootDir(settings.root_dir);
  out.setRunDir(settings.run_dir);
  EncodeRuntimes(settings, found_runtimes, out);
  out.setDefaultRuntime(settings.default_runtime);
  out.setCniConfDir(settings.cni_conf_dir);
  EncodeTexts(settings.cni_bin_dirs, out.initCniBinDirs(settings.cni_bin_dirs.size()));
  EncodeImageRules(settings, out);
  out.setSeccompRoot(settings.seccomp_root);
  EncodeTexts(settings.cdi_spec_dirs, out.initCdiSpecDirs(settings.cdi_spec_dirs.size()));
  EncodeTexts(settings.cdi_hooks, out.initCdiHooks(settings.cdi_hooks.size()));
  EncodePulls(settings.pulls, out.initPulls());
  const bool configured = settings.subordinate_count > 0;
  out.setSubordinateFirst(configured ? settings.subordinate_first : host.subordinate.first);
  out.setSubordinateCount(configured ? settings.subordinate_count : host.subordinate.count);
  out.setCniPluginTimeoutMs(settings.cni_plugin_timeout * 1000);
  out.setCniRetryMaxSeconds(settings.cni_retry_max);
  out.setCniIpsAnnotation(settings.cni_ips_annotation);
  out.setCniMacAnnotation(settings.cni_mac_annotation);
  EncodeHost(host, out.initHost());
  EncodeAudit(settings, out.initAudit());
  EncodeLayers(settings.layers, host.erofs_layers.ok(), out.initLayers());
  auto uids = out.initAllowedUids(settings.allowed_uids.size());
  for (size_t i = 0; i < settings.allowed_uids.size(); ++i) uids.set(i, settings.allowed_uids[i]);
  out.initStreaming().setForwardToNode(settings.streaming.forward_to_node);
  out.setSandboxImage(settings.sandbox_image);
  out.setRuntimeUserAgent(kUserAgent);
  out.setKeepLayers(settings.keep_layers);
  auto pinned = out.initPinnedImages(settings.pinned_images.size());
  for (size_t i = 0; i < settings.pinned_images.size(); ++i) {
    pinned.set(i, settings.pinned_images[i]);
  }
  EncodeImagePolicy(settings.image_policy, out.initImagePolicy());
}

absl::StatusOr<base::UniqueFd> ConfigMemfd(capnp::MessageBuilder& message) {
  kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  kj::ArrayPtr<const char> bytes = words.asChars();
  return base::MakeSealedMemfd("bulkhead-config", absl::string_view(bytes.begin(), bytes.size()));
}

}  // namespace bulkhead::tools
