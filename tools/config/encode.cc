#include "tools/config/encode.h"

#include <capnp/serialize.h>

namespace bulkhead::tools {
namespace {

constexpr char kUserAgent[] = "bulkhead/" BULKHEAD_VERSION;

void EncodeRuntimes(const Settings& settings, const RuntimeVersions& versions,
                    schema::Config::Builder out) {
  auto list = out.initRuntimes(settings.runtimes.size());
  unsigned i = 0;
  for (const auto& [name, runtime] : settings.runtimes) {
    schema::Runtime::Builder entry = list[i++];
    entry.setName(name);
    entry.setType(schema::Runtime::Type::OCI);
    entry.setPath(runtime.path);
    if (auto found = versions.find(name); found != versions.end()) entry.setVersion(found->second);
  }
}

void EncodeRegistries(const Settings& settings, schema::Config::Builder out) {
  auto list = out.initRegistries(settings.registries.size());
  unsigned i = 0;
  for (const auto& [host, endpoints] : settings.registries) {
    schema::Registry::Builder registry = list[i++];
    registry.setHost(host);
    auto out_endpoints = registry.initEndpoints(endpoints.size());
    for (size_t k = 0; k < endpoints.size(); ++k) {
      out_endpoints[k].setHost(endpoints[k].host);
      out_endpoints[k].setPlainHttp(endpoints[k].plain_http);
      out_endpoints[k].setSkipVerify(endpoints[k].skip_verify);
      out_endpoints[k].setCaFile(endpoints[k].ca_file);
    }
  }
}

void EncodeAudit(const Settings& settings, schema::Audit::Builder out) {
  out.setOn(settings.audit);
  out.setProceed(settings.audit_proceed);
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
}

}  // namespace

void EncodeConfig(const Settings& settings, const Host& host, const RuntimeVersions& versions,
                  schema::Config::Builder out) {
  out.setRootDir(settings.root_dir);
  out.setRunDir(settings.run_dir);
  EncodeRuntimes(settings, versions, out);
  out.setDefaultRuntime(settings.default_runtime);
  out.setCniConfDir(settings.cni_conf_dir);
  auto bin_dirs = out.initCniBinDirs(settings.cni_bin_dirs.size());
  for (size_t i = 0; i < settings.cni_bin_dirs.size(); ++i) {
    bin_dirs.set(i, settings.cni_bin_dirs[i]);
  }
  const bool configured = settings.subordinate_count > 0;
  out.setSubordinateFirst(configured ? settings.subordinate_first : host.subordinate.first);
  out.setSubordinateCount(configured ? settings.subordinate_count : host.subordinate.count);
  out.setCniPluginTimeoutMs(settings.cni_plugin_timeout * 1000);
  out.setCniRetryMaxSeconds(settings.cni_retry_max);
  out.setCniIpsAnnotation(settings.cni_ips_annotation);
  out.setCniMacAnnotation(settings.cni_mac_annotation);
  EncodeRegistries(settings, out);
  EncodeHost(host, out.initHost());
  EncodeAudit(settings, out.initAudit());
  auto uids = out.initAllowedUids(settings.allowed_uids.size());
  for (size_t i = 0; i < settings.allowed_uids.size(); ++i) uids.set(i, settings.allowed_uids[i]);
  out.setSandboxImage(settings.sandbox_image);
  out.setRuntimeUserAgent(kUserAgent);
}

absl::StatusOr<base::UniqueFd> ConfigMemfd(capnp::MessageBuilder& message) {
  kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  kj::ArrayPtr<const char> bytes = words.asChars();
  return base::MakeSealedMemfd("bulkhead-config", absl::string_view(bytes.begin(), bytes.size()));
}

}  // namespace bulkhead::tools
