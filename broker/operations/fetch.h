#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "broker/broker.h"
#include "broker/operations/kept_blob.h"
#include "broker/pull.h"
#include "schema/common.capnp.h"

namespace bulkhead::broker {

// One thing to fetch from a registry.
struct Wanted {
  enum class What { kTag, kManifest, kBlob } what;
  std::string name;  // a tag, or 32 bytes of digest
  uint64_t max_bytes;
};

// What came; read-only.
struct FetchedFile {
  base::UniqueFd fd;
  IngestName name;
  uint64_t size = 0;
  schema::Descriptor::MediaType media_type = schema::Descriptor::MediaType::UNKNOWN;
};

// Called with the files once a worker has begun to write to them.
using FetchBegun = std::function<void(const std::vector<FetchedFile>&)>;

// CANCELLED where the pull is or becomes abandoned, DEADLINE_EXCEEDED after the pull's own
// deadline, which is checked with every call. Has a worker fetch them from the pull's registry and
// repository, into files that go with their names, unless kept. What they hold is not verified; but the worker has
// ended, so nobody can change them any more.
absl::StatusOr<std::vector<FetchedFile>> Fetch(Fiber& fiber, Broker& broker, Pull& pull,
                                               const std::vector<Wanted>& wanted,
                                               const FetchBegun& begun = nullptr);

}  // namespace bulkhead::broker
