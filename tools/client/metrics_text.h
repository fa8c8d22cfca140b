#pragma once

#include <string>

#include "schema/admin.capnp.h"
#include "tools/client/admin.h"

namespace bulkhead::tools {

// In Prometheus' text format 0.0.4.
std::string MetricsText(const AdminCounts& counts, size_t pulls, const AdminNetworks& networks,
                        schema::Admin::MetricsResults::Reader metrics);

}  // namespace bulkhead::tools
