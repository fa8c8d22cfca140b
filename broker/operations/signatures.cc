#include "broker/operations/signatures.h"

#include <fcntl.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/fetch.h"
#include "broker/spawner/worker.h"
#include "schema/worker/verify.capnp.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kMaxManifestBytes = 1 << 20;
constexpr uint64_t kMaxPayloadBytes = 64 << 10;

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return kj::StringPtr(text.c_str(), text.size()).asBytes();
}

void FillTexts(const std::vector<std::string>& from, capnp::List<capnp::Text>::Builder to) {
  for (size_t i = 0; i < from.size(); ++i) to.set(i, from[i]);
}

void FillJob(const security::ImageRule& rule, const std::vector<std::string>& digests,
             const SignatureSet& set, schema::VerifyJob::Builder job) {
  auto signatures = set.evidence.read().getSignatures();
  auto out = job.initSignatures(signatures.size());
  for (unsigned i = 0; i < signatures.size(); ++i) {
    out[i].setOffset(set.payloads[i].offset);
    out[i].setSize(set.payloads[i].size);
    out[i].setDigest(signatures[i].getPayload().getDigest());
    out[i].setBytes(signatures[i].getBytes());
  }
  FillTexts(rule.keys, job.initKeys(rule.keys.size()));
  FillTexts(rule.identities, job.initIdentities(rule.identities.size()));
  auto images = job.initImages(digests.size());
  for (size_t i = 0; i < digests.size(); ++i) images[i].setBytes(Bytes(digests[i]));
}

// Fetches manifest and payloads of the signatures of the image with this digest.
absl::StatusOr<std::vector<SignatureSet>> FetchSignatures(Fiber& fiber, Broker& broker, Pull& pull,
                                                          const std::string& digest) {
  BULKHEAD_ASSIGN_OR_RETURN(auto manifest,
                            Fetch(fiber, broker, pull,
                                  {{.what = Wanted::What::kTag,
                                    .name = absl::StrCat("sha256-", base::ToHex(digest), ".sig"),
                                    .max_bytes = kMaxManifestBytes}}));
  Document document{.fd = manifest[0].fd.get(), .size = manifest[0].size};
  BULKHEAD_ASSIGN_OR_RETURN(
      auto parsed, ParseDocument(fiber, broker, document, schema::ManifestJob::Kind::SIGNATURES));
  std::vector<Wanted> wanted;
  std::vector<Document> payloads;
  for (auto signature : parsed.read().getSignatures()) {
    std::string payload = DigestBytes(signature.getPayload().getDigest());
    wanted.push_back({.what = Wanted::What::kBlob, .name = payload, .max_bytes = kMaxPayloadBytes});
    payloads.push_back({.digest = payload});
  }
  BULKHEAD_ASSIGN_OR_RETURN(auto files, Fetch(fiber, broker, pull, wanted));
  for (size_t i = 0; i < files.size(); ++i) {
    payloads[i].fd = files[i].fd.get();
    payloads[i].size = files[i].size;
  }
  BULKHEAD_ASSIGN_OR_RETURN(SignatureSet set,
                            MakeSignatureSet(parsed.read().getSignatures(), payloads));
  for (FetchedFile& file : files) set.files.push_back(std::move(file.fd));
  std::vector<SignatureSet> sets;
  sets.push_back(std::move(set));
  return sets;
}

}  // namespace

SignatureFinder RegistrySignatures(Fiber& fiber, Broker& broker, Pull& pull) {
  return [&fiber, &broker, &pull](const std::string& digest) {
    return FetchSignatures(fiber, broker, pull, digest);
  };
}

absl::Status VerifySignatures(Fiber& fiber, Broker& broker, const security::ImageRule& rule,
                              const std::vector<std::string>& digests, const SignatureSet& set) {
  capnp::MallocMessageBuilder message;
  FillJob(rule, digests, set, message.initRoot<schema::VerifyJob>());
  std::vector<int> fds;
  for (const Document& payload : set.payloads) fds.push_back(payload.fd);
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kVerify, message, fds));
  return worker->Finish<schema::VerifyResult>(fiber);
}

absl::StatusOr<SignatureSet> MakeSignatureSet(capnp::List<schema::Signature>::Reader signatures,
                                              const std::vector<Document>& payloads) {
  SignatureSet set;
  set.evidence.edit().setSignatures(signatures);
  for (auto signature : signatures) {
    std::string digest = DigestBytes(signature.getPayload().getDigest());
    auto found = std::find_if(payloads.begin(), payloads.end(),
                              [&](const Document& document) { return document.digest == digest; });
    if (found == payloads.end()) {
      return absl::NotFoundError(absl::StrCat("signature's payload ", DigestText(digest)));
    }
    set.payloads.push_back(*found);
  }
  return set;
}

absl::StatusOr<SignatureSet> StoredSignatures(Broker& broker, schema::Evidence::Reader evidence) {
  std::vector<Document> payloads;
  std::vector<base::UniqueFd> files;
  for (auto signature : evidence.getSignatures()) {
    std::string digest = DigestBytes(signature.getPayload().getDigest());
    BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd file,
                              base::OpenAt(broker.directories.blobs.get(), base::ToHex(digest),
                                           O_RDONLY, base::Resolve::kBeneathNoSymlinks));
    payloads.push_back(
        {.fd = file.get(), .size = signature.getPayload().getSize(), .digest = digest});
    files.push_back(std::move(file));
  }
  BULKHEAD_ASSIGN_OR_RETURN(SignatureSet set, MakeSignatureSet(evidence.getSignatures(), payloads));
  set.files = std::move(files);
  return set;
}

void SetEvidence(Record<schema::Image>& image, schema::Evidence::Reader evidence) {
  std::string digest = DigestBytes(evidence.getDigest());
  std::vector<Record<schema::Evidence>> kept;
  kept.emplace_back(evidence);
  for (auto known : image.read().getEvidence()) {
    bool replaced = known.getRepository() == evidence.getRepository() &&
                    DigestBytes(known.getDigest()) == digest;
    if (!replaced && kept.size() < kMaxEvidence) kept.emplace_back(known);
  }
  auto list = image.edit().initEvidence(kept.size());
  for (size_t i = 0; i < kept.size(); ++i) list.setWithCaveats(i, kept[i].read());
}

}  // namespace bulkhead::broker
