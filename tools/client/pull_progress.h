#pragma once

#include <string>

#include "tools/client/admin.h"

namespace bulkhead::tools {

// "docker.io/library/busybox:latest: 12.3 of 30.1 MiB, 2 of 5 layers done, 7 s"
std::string PullSummary(const AdminPull& pull);

// One line a layer with a bar, as a terminal of that many columns shows it. Ends in a newline.
std::string PullBars(const AdminPull& pull, int columns);

}  // namespace bulkhead::tools
