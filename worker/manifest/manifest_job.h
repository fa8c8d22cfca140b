#pragma once

#include "absl/status/status.h"
#include "schema/worker/manifest.capnp.h"

namespace bulkhead::worker {

// Hashes and parses the document that the job means. document: the file, read-only; stays the
// caller's. Fills result but its status, which is returned; on failure the rest of result means
// nothing but the digest, which is set as soon as the document was read.
absl::Status RunManifestJob(schema::ManifestJob::Reader job, int document,
                            schema::ManifestResult::Builder result);

}  // namespace bulkhead::worker
