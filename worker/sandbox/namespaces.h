#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "schema/worker/sandbox.capnp.h"

// Steps of making a pod, in the order of their declaration. The calling process itself moves into
// the new namespaces and must end afterwards.
namespace bulkhead::sandbox {

absl::Status EnterNewNamespaces(schema::SandboxJob::Make::Reader make);
// lo is up, and no router on the pod's network is believed unless a sysctl of the pod says so
// (V48).
absl::Status SetUpNetwork();
absl::Status SetHostname(absl::string_view hostname);
// Each was checked by security::CheckSysctl. INVALID_ARGUMENT: the kernel has no such sysctl for a
// pod, or not this value of it.
absl::Status ApplySysctls(capnp::List<schema::Label>::Reader sysctls);
// Gives the caller's namespaces of the kinds asked for a name each in the pod's directory.
absl::Status PinNamespaces(int pod, schema::SandboxJob::Make::Reader make);
// The same for one that is open.
absl::Status PinNamespace(int pod, const char* name, int ns);
// owner: of the directory, as the pod's root; 0: the node's.
absl::Status MountShm(int pod, uint64_t bytes, uint32_t owner);

}  // namespace bulkhead::sandbox
