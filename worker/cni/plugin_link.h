#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/worker/network.capnp.h"

namespace bulkhead::cni {

struct PluginOutput {
  int exit_code = 0;
  std::string text;
};

// The network worker, who runs plugins for us.
class PluginLink {
 public:
  // socket stays the caller's.
  explicit PluginLink(int socket) : socket_(socket) {}
  // The network worker's own status where the plugin did not come to an end of its own.
  // UNAVAILABLE: the worker is gone.
  absl::StatusOr<PluginOutput> Run(const std::string& plugin,
                                   schema::NetworkRequest::Command command,
                                   absl::string_view input);

  struct Step {
    std::string name;  // "bridge ADD"
    int64_t micros;
  };
  // What each run took.
  const std::vector<Step>& steps() const { return steps_; }

 private:
  absl::StatusOr<PluginOutput> Ask(const std::string& plugin,
                                   schema::NetworkRequest::Command command,
                                   absl::string_view input);

  int socket_;
  std::vector<Step> steps_;
};

}  // namespace bulkhead::cni
