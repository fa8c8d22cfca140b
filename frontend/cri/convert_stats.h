#pragma once

#include "cri/v1/api.pb.h"
#include "schema/stats.capnp.h"

// What the broker tells of the use of resources, in CRI's messages. What the kernel does not say is
// not set; it is never 0 instead.
namespace bulkhead::frontend {

namespace v1 = ::runtime::v1;

// mountpoint: where the writable layers lie.
void FromContainerStats(schema::ContainerStats::Reader in, const std::string& mountpoint,
                        v1::ContainerStats* out);
void FromPodStats(schema::PodStats::Reader in, const std::string& mountpoint,
                  v1::PodSandboxStats* out);

// Memory that cannot be given back at once; -1: not known.
int64_t WorkingSet(schema::CgroupUsage::Reader usage);
// The name of an interface, which its pod chose, as text that any client can read.
std::string InterfaceName(capnp::Text::Reader name);

}  // namespace bulkhead::frontend
