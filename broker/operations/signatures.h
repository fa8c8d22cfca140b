#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/operations/image_trust.h"
#include "security/policy/image_policy.h"

namespace bulkhead::broker {

inline constexpr size_t kMaxEvidence = 32;  // of one image

// Has a worker hold the set's signatures against the rule. PERMISSION_DENIED says why none will do.
absl::Status VerifySignatures(Fiber& fiber, Broker& broker, const security::ImageRule& rule,
                              const std::vector<std::string>& digests, const SignatureSet& set);

// The set of a signature manifest, parsed by a worker (schema/worker/manifest.capnp), and of
// payloads that lie in files (any order; those that are not named by it are left alone). NOT_FOUND:
// one is missing.
absl::StatusOr<SignatureSet> MakeSignatureSet(capnp::List<schema::Signature>::Reader signatures,
                                              const std::vector<Document>& payloads);
// The set that was kept with an image. NOT_FOUND: a blob is missing.
absl::StatusOr<SignatureSet> StoredSignatures(Broker& broker, schema::Evidence::Reader evidence);

// Puts evidence into the image's, in place of what is there for the same repository and digest.
void SetEvidence(Record<schema::Image>& image, schema::Evidence::Reader evidence);

}  // namespace bulkhead::broker
