#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "worker/fetch/request.h"
#include "worker/parse/descriptor.h"

namespace bulkhead::worker {

struct Fetched {
  uint64_t bytes = 0;
  MediaType media_type = MediaType::UNKNOWN;  // of the Content-Type, for manifests
};

// Downloads all items, several at a time, with the credentials where the registry asks for some.
// What one endpoint does not give is asked of the next. NOT_FOUND, UNAUTHENTICATED,
// PERMISSION_DENIED, UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT (the
// request); the message holds hosts and HTTP statuses only. On failure the files hold anything.
// Nothing is hashed here. token: where not null, what the next fetch of the image may begin with.
absl::StatusOr<std::vector<Fetched>> Fetch(const FetchRequest& request,
                                           RegistryToken* token = nullptr);

}  // namespace bulkhead::worker
