#pragma once

#include <capnp/message.h>

#include <map>
#include <string>

#include "base/unique_fd.h"
#include "schema/config.capnp.h"
#include "tools/config/settings.h"
#include "tools/host/host.h"

namespace bulkhead::tools {

// By runtime name; a runtime that is missing there was not found.
using FoundRuntimes = std::map<std::string, FoundRuntime>;

// Fills in the typed configuration that all other processes get.
void EncodeConfig(const Settings& settings, const Host& host, const FoundRuntimes& runtimes,
                  schema::Config::Builder out);

// The policy with its hash.
void EncodeImagePolicy(const ImagePolicySettings& policy, schema::ImagePolicy::Builder out);

// One encoded configuration as a sealed memfd (a Cap'n Proto message in stream form).
absl::StatusOr<base::UniqueFd> ConfigMemfd(capnp::MessageBuilder& message);

}  // namespace bulkhead::tools
