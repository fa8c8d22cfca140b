#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/broker.h"
#include "broker/operations/document.h"
#include "broker/operations/fetch.h"
#include "broker/state/record.h"
#include "schema/image.capnp.h"

// Whether an image may be had and run: the policy's rule for its name, and the signatures that the
// rule asks for.
namespace bulkhead::broker {

// The signatures of one signature manifest. What they sign lies in documents, in the same order.
struct SignatureSet {
  Record<schema::Evidence> evidence;  // its signatures alone are filled in
  std::vector<Document> payloads;
  std::vector<base::UniqueFd> files;  // those of payloads that have no other owner
};

// Where signatures of the image with this digest (32 bytes) are found. NOT_FOUND: it has none.
using SignatureFinder =
    std::function<absl::StatusOr<std::vector<SignatureSet>>(const std::string& digest)>;

// PERMISSION_DENIED: the policy does not let images come from there, whoever signed them.
absl::Status CheckNameAllowed(Broker& broker, schema::ImageReference::Reader reference);

// What the policy's rule for the reference asks of the image, one of whose digests (manifest,
// index) must be signed. Nothing where it asks for no signature; else the evidence, whose payloads
// are stored as blobs. PERMISSION_DENIED.
absl::StatusOr<std::optional<Record<schema::Evidence>>> RequireSignature(
    Fiber& fiber, Broker& broker, schema::ImageReference::Reader reference,
    const std::vector<std::string>& digests, const SignatureFinder& find);
// The signatures that cosign put beside the image in its registry. All must outlive what it
// returns.
SignatureFinder RegistrySignatures(Fiber& fiber, Broker& broker, Pull& pull);

// Asked again before each container: whether the policy of now lets this image run. image and
// user_specified: as the request names it; where they name a repository that the image is known
// under, that one's rule decides, else one that lets it run is enough. A verdict of an earlier
// policy is worth nothing: the stored signatures are verified again, and where there are none, the
// registry is asked. PERMISSION_DENIED, or why the registry could not be asked.
absl::Status CheckMayRun(Fiber& fiber, Broker& broker, const std::string& image_id,
                         const std::string& image, const std::string& user_specified);

}  // namespace bulkhead::broker
