#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "security/policy/pod_policy.h"

// A Kubernetes Pod manifest as kubelet would turn it into requests, as far as the policy is
// concerned.
namespace bulkhead::tools {

inline constexpr size_t kMaxManifestBytes = 1 << 20;

struct HostPathWish {
  std::string field;  // of the manifest
  std::string path;
  bool read_only = false;
};

struct ContainerWish {
  std::string field;  // "spec.containers[0] (main)"
  security::ContainerFacts facts;
  std::vector<HostPathWish> host_paths;
};

struct PodWish {
  std::string kubernetes_namespace;  // empty: the manifest names none
  security::PodFacts facts;
  std::vector<ContainerWish> containers;
  std::vector<std::string> unknown;  // what only the node can say, in sentences
};

struct ManifestOptions {
  // kubelet's seccompDefault: what a container without a profile gets.
  bool seccomp_default = false;
};

// INVALID_ARGUMENT: no JSON, or no Pod; RESOURCE_EXHAUSTED: too deep.
absl::StatusOr<PodWish> ReadManifest(absl::string_view text, const ManifestOptions& options);

}  // namespace bulkhead::tools
