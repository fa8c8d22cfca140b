#include "broker/operations/image_trust.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/signatures.h"
#include "security/policy/image_policy.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

using security::ImageRule;
using Action = schema::ImagePolicy::Action;

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return kj::StringPtr(text.c_str(), text.size()).asBytes();
}

std::string RepositoryOf(schema::ImageReference::Reader reference) {
  return absl::StrCat(reference.getRegistry().cStr(), "/", reference.getRepository().cStr());
}

// The first words are those that kubelet knows (its ErrSignatureValidationFailed).
absl::Status Refuse(absl::string_view repository, const ImageRule& rule, absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat("SignatureValidationFailed: image policy, ",
                                                  rule.name, ", for ", repository, ": ", why));
}

std::string PolicyHash(const Broker& broker) {
  auto hash = broker.config.getImagePolicy().getHash().asChars();
  return std::string(hash.begin(), hash.size());
}

bool AllowsAll(const Broker& broker) {
  auto policy = broker.config.getImagePolicy();
  return policy.getDefault() == Action::ALLOW && policy.getRules().size() == 0;
}

// The first set that holds a good signature, with its payloads stored.
absl::StatusOr<Record<schema::Evidence>> FindGood(Fiber& fiber, Broker& broker,
                                                  const ImageRule& rule, const std::string& digest,
                                                  std::vector<SignatureSet> sets) {
  absl::Status last = absl::PermissionDeniedError("there is no signature");
  for (SignatureSet& set : sets) {
    last = VerifySignatures(fiber, broker, rule, {digest}, set);
    if (!last.ok()) continue;
    auto signatures = set.evidence.read().getSignatures();
    for (unsigned i = 0; i < signatures.size(); ++i) {
      std::string payload = DigestBytes(signatures[i].getPayload().getDigest());
      BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, set.payloads[i], payload));
    }
    return std::move(set.evidence);
  }
  return last;
}

// The evidence for repository that the current policy has accepted, or accepts now.
absl::Status CheckStored(Fiber& fiber, Broker& broker, const ImageRule& rule,
                         schema::Evidence::Reader evidence, bool* reverified) {
  auto hash = evidence.getPolicyHash().asChars();
  if (hash.size() > 0 && PolicyHash(broker) == absl::string_view(hash.begin(), hash.size())) {
    return absl::OkStatus();
  }
  BULKHEAD_ASSIGN_OR_RETURN(SignatureSet set, StoredSignatures(broker, evidence));
  BULKHEAD_RETURN_IF_ERROR(
      VerifySignatures(fiber, broker, rule, {DigestBytes(evidence.getDigest())}, set));
  *reverified = true;
  return absl::OkStatus();
}

// Replaces what was known for the same repository and digest. The image may have gone meanwhile.
absl::Status SaveEvidence(Broker& broker, const std::string& image_id,
                          schema::Evidence::Reader evidence) {
  auto found = broker.state.images().find(image_id);
  if (found == broker.state.images().end()) return absl::OkStatus();
  Record<schema::Image> image(found->second.read());
  SetEvidence(image, evidence);
  return broker.state.SaveImage(std::move(image));
}

absl::Status AskRegistry(Fiber& fiber, Broker& broker, schema::Image::Reader image,
                         const std::string& repository, const ImageRule& rule) {
  for (auto name : image.getRepoDigests()) {
    capnp::MallocMessageBuilder message;
    auto reference = message.initRoot<schema::ImageReference>();
    if (!validate::ParseReference("digest", name.cStr(), reference).ok() ||
        RepositoryOf(reference) != repository) {
      continue;
    }
    auto pinned = broker.PinLayers();
    Pull pull(reference.asReader());
    BULKHEAD_ASSIGN_OR_RETURN(auto evidence,
                              RequireSignature(fiber, broker, reference,
                                               {DigestBytes(reference.asReader().getDigest()),
                                                DigestBytes(image.getManifest())},
                                               RegistrySignatures(fiber, broker, pull)));
    if (!evidence.has_value()) return absl::OkStatus();
    return SaveEvidence(broker, image.getId().cStr(), evidence->read());
  }
  return Refuse(repository, rule, "the image came without a signature; pull it again");
}

// Whether it may run as an image of this repository.
absl::Status CheckProvenance(Fiber& fiber, Broker& broker, schema::Image::Reader image,
                             const std::string& repository) {
  ImageRule rule = security::DecideImage(broker.config.getImagePolicy(), repository);
  if (rule.action == Action::ALLOW) return absl::OkStatus();
  if (rule.action == Action::DENY) return Refuse(repository, rule, "denied");
  for (auto evidence : image.getEvidence()) {
    if (repository != evidence.getRepository().cStr()) continue;
    bool reverified = false;
    if (!CheckStored(fiber, broker, rule, evidence, &reverified).ok()) continue;
    if (!reverified) return absl::OkStatus();
    Record<schema::Evidence> good(evidence);
    good.edit().setPolicyHash(Bytes(PolicyHash(broker)));
    return SaveEvidence(broker, image.getId().cStr(), good.read());
  }
  return AskRegistry(fiber, broker, image, repository, rule);
}

std::set<std::string> RepositoriesOf(schema::Image::Reader image) {
  std::set<std::string> found;
  auto add = [&found](capnp::List<capnp::Text>::Reader names) {
    for (auto name : names) {
      capnp::MallocMessageBuilder message;
      auto reference = message.initRoot<schema::ImageReference>();
      if (validate::ParseReference("name", name.cStr(), reference).ok()) {
        found.insert(RepositoryOf(reference));
      }
    }
  };
  add(image.getRepoTags());
  add(image.getRepoDigests());
  if (found.empty()) found.insert("");  // nameless: "**" and the default speak of it
  return found;
}

// The repository that a request names, or "" where it names an image by its id.
std::string RepositoryAsked(const std::string& image, const std::string& user_specified) {
  for (const std::string& text : {user_specified, image}) {
    capnp::MallocMessageBuilder message;
    auto reference = message.initRoot<schema::ImageReference>();
    if (validate::LooksLikeImageId(text)) continue;
    if (validate::ParseReference("image", text, reference).ok()) return RepositoryOf(reference);
  }
  return "";
}

}  // namespace

absl::Status CheckNameAllowed(Broker& broker, schema::ImageReference::Reader reference) {
  std::string repository = RepositoryOf(reference);
  ImageRule rule = security::DecideImage(broker.config.getImagePolicy(), repository);
  if (rule.action != Action::DENY) return absl::OkStatus();
  return Refuse(repository, rule, "denied");
}

absl::StatusOr<std::optional<Record<schema::Evidence>>> RequireSignature(
    Fiber& fiber, Broker& broker, schema::ImageReference::Reader reference,
    const std::vector<std::string>& digests, const SignatureFinder& find) {
  BULKHEAD_RETURN_IF_ERROR(CheckNameAllowed(broker, reference));
  std::string repository = RepositoryOf(reference);
  ImageRule rule = security::DecideImage(broker.config.getImagePolicy(), repository);
  if (rule.action == Action::ALLOW) return std::optional<Record<schema::Evidence>>();
  std::string why = "there is no signature";
  for (size_t i = 0; i < digests.size(); ++i) {
    if (digests[i].empty() || (i > 0 && digests[i] == digests[0])) continue;
    absl::StatusOr<std::vector<SignatureSet>> sets = find(digests[i]);
    if (absl::IsNotFound(sets.status())) continue;
    if (!sets.ok()) return base::Annotate(sets.status(), "signatures of the image");
    auto good = FindGood(fiber, broker, rule, digests[i], *std::move(sets));
    if (absl::IsPermissionDenied(good.status())) {
      why = std::string(good.status().message());
      continue;
    }
    if (!good.ok()) return good.status();
    good->edit().setRepository(repository);
    good->edit().initDigest().setBytes(Bytes(digests[i]));
    good->edit().setPolicyHash(Bytes(PolicyHash(broker)));
    return std::optional<Record<schema::Evidence>>(*std::move(good));
  }
  return Refuse(repository, rule, why);
}

absl::Status CheckMayRun(Fiber& fiber, Broker& broker, const std::string& image_id,
                         const std::string& image, const std::string& user_specified) {
  if (AllowsAll(broker)) return absl::OkStatus();
  auto found = broker.state.images().find(image_id);
  if (found == broker.state.images().end()) {
    return absl::NotFoundError(absl::StrCat("image ", image_id, ": not present on the node"));
  }
  Record<schema::Image> record(found->second.read());  // a copy: the store may change while we wait
  std::set<std::string> repositories = RepositoriesOf(record.read());
  std::string asked = RepositoryAsked(image, user_specified);
  if (repositories.contains(asked)) {
    return CheckProvenance(fiber, broker, record.read(), asked);
  }
  absl::Status last;
  for (const std::string& repository : repositories) {
    last = CheckProvenance(fiber, broker, record.read(), repository);
    if (last.ok()) return last;
  }
  return last;
}

}  // namespace bulkhead::broker
