#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/cni/config.h"
#include "worker/cni/plugin_link.h"

// A network's plugins run one after the other, each with the result of the one before.
namespace bulkhead::cni {

struct Added {
  absl::Status status;
  Json result;           // of the last plugin that succeeded; null where none did
  size_t attempted = 0;  // plugins that may have left something
};

// ADD, until the first failure.
Added AddChain(const NetworkConfig& config, const Json& runtime_config, PluginLink& link);

// DEL for the first `count` plugins, last one first. Goes on after a failure, so that each frees
// what it can, and returns the first. result: of ADD, or null.
absl::Status DeleteChain(const NetworkConfig& config, size_t count, const Json& runtime_config,
                         const Json& result, PluginLink& link);

// CHECK, first plugin first, until the first failure. result: of ADD. Nothing where the
// configuration says disableCheck or is older than 0.4.0.
absl::Status CheckChain(const NetworkConfig& config, const Json& runtime_config, const Json& result,
                        PluginLink& link);

// VERSION: whether each plugin is there and speaks the configuration's version. FAILED_PRECONDITION
// names the one that does not.
absl::Status CheckVersions(const NetworkConfig& config, PluginLink& link);

// STATUS, until the first plugin that says that it cannot serve. Nothing below 1.1.0.
absl::Status StatusOfChain(const NetworkConfig& config, PluginLink& link);

struct Attachment {
  std::string container_id;
  std::string interface;
};
// GC: each plugin drops what belongs to no attachment of these; goes on after a failure, and
// returns the first. Nothing below 1.1.0 or where the configuration says disableGC.
absl::Status CollectGarbage(const NetworkConfig& config, const std::vector<Attachment>& valid,
                            PluginLink& link);

}  // namespace bulkhead::cni
