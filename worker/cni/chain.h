#pragma once

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

}  // namespace bulkhead::cni
