#pragma once

#include <string>
#include <vector>

#include "schema/container.capnp.h"
#include "schema/worker/launch.capnp.h"
#include "security/policy/pod_policy.h"

// Facts of messages that both the broker and launch read.
namespace bulkhead::security {

ProcessFacts ProcessOf(schema::Process::Reader process);
LimitFacts LimitsOf(schema::Resources::Reader resources);
void SetSeccomp(schema::SecurityProfile::Type type, ProcessFacts* facts);
std::vector<std::string> TextsOf(capnp::List<capnp::Text>::Reader list);

}  // namespace bulkhead::security
