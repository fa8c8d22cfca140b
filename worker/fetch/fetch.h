#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/deadline.h"
#include "worker/fetch/registry_url.h"
#include "worker/parse/descriptor.h"

namespace bulkhead::worker {

struct FetchItem {
  bool is_manifest = false;
  std::string reference;   // a tag (manifests alone) or "sha256:<hex>"
  uint64_t max_bytes = 0;
  int fd = -1;             // regular, writable; stays the caller's
};

struct FetchRequest {
  std::vector<FetchEndpoint> endpoints;  // tried in order
  std::string registry;                  // the name in the image's reference
  std::string repository;
  std::vector<FetchItem> items;
  base::Deadline deadline = base::Deadline::Never();
  uint32_t minimum_speed = 0;            // bytes per second over 30 s; 0: no rule
};

struct Fetched {
  uint64_t bytes = 0;
  MediaType media_type = MediaType::UNKNOWN;  // of the Content-Type, for manifests
};

// Downloads all items, several at a time, anonymously (with a registry's anonymous token where it
// wants one). What one endpoint does not give is asked of the next. NOT_FOUND, UNAUTHENTICATED,
// PERMISSION_DENIED, UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT (the
// request); the message holds hosts and HTTP statuses only. On failure the files hold anything.
// Nothing is hashed here.
absl::StatusOr<std::vector<Fetched>> Fetch(const FetchRequest& request);

}  // namespace bulkhead::worker
