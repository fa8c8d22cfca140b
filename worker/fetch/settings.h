#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "schema/registries.capnp.h"
#include "worker/fetch/request.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxSettingsBytes = 16 << 20;

// Fills in what root's configuration (registries.capnp, sealed in fd; empty: nothing configured)
// says about the request's registry: its endpoints, keys and token services, the proxies. Of other
// registries nothing stays in this process. INTERNAL: fd holds something else.
absl::Status ApplySettings(int fd, FetchRequest* request);

// The part that reads the message.
void ApplyRegistries(schema::Registries::Reader settings, FetchRequest* request);

}  // namespace bulkhead::worker
