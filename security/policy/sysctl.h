#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::security {

inline constexpr size_t kMaxSysctlValueBytes = 4096;

// The path below /proc/sys of a sysctl in either of its spellings: the first separator tells which,
// the other one is then part of a name ("net.ipv4.conf.eth0/1.mtu" and "net/ipv4/conf/eth0.1/mtu"
// are one). INVALID_ARGUMENT: not a name, or one that leads out of its directory.
absl::StatusOr<std::string> SysctlPath(absl::string_view name);

// Whether a pod may have this sysctl set, which is so only where the kernel keeps it by namespace
// and the namespace is the pod's own (V23): net.*, kernel.shm*, kernel.msg*, kernel.sem*,
// fs.mqueue.*. What of net.* is the node's alone does not exist, or is read-only, in another
// network namespace. INVALID_ARGUMENT names config.linux.sysctls[name].
absl::Status CheckSysctl(absl::string_view name, absl::string_view value, bool own_network,
                         bool own_ipc);

}  // namespace bulkhead::security
