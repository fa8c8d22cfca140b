#pragma once

#include "absl/status/status.h"

namespace bulkhead::test {

// Moves this process into mount, network and IPC namespaces of its own: mounts are shared below "/"
// as on a node and do not travel back to the host, lo is up, no other interface is there. It
// becomes the subreaper of all that it starts. Once, as root, before the first thread.
absl::Status EnterPrivateNamespaces();

}  // namespace bulkhead::test
