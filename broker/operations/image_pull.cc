#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/fetch.h"
#include "broker/operations/image.h"
#include "broker/operations/image_record.h"
#include "broker/operations/image_trust.h"
#include "broker/operations/kept_blob.h"
#include "broker/operations/layer.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kMaxDocumentBytes = 4 << 20;
constexpr absl::Duration kKeepUnfinished = absl::Hours(24);

struct ManifestFile {
  FetchedFile file;
  std::string digest;
  Record<schema::ManifestResult> parsed;
};

absl::StatusOr<ManifestFile> FetchManifest(Fiber& fiber, Broker& broker, Pull& pull,
                                           const Wanted& wanted) {
  BULKHEAD_ASSIGN_OR_RETURN(auto files, Fetch(fiber, broker, pull, {wanted}));
  ManifestFile manifest{.file = std::move(files[0])};
  Document document{.fd = manifest.file.fd.get(), .size = manifest.file.size};
  if (wanted.what != Wanted::What::kTag) document.digest = wanted.name;
  BULKHEAD_ASSIGN_OR_RETURN(
      manifest.parsed,
      ParseDocument(fiber, broker, document, schema::ManifestJob::Kind::MANIFEST_OR_INDEX,
                    manifest.file.media_type));
  manifest.digest = DigestBytes(manifest.parsed.read().getDigest());
  return manifest;
}

// The manifest for this machine, and the digest of the document that the reference named (an index
// or itself).
absl::StatusOr<ManifestFile> ResolveManifest(Fiber& fiber, Broker& broker, Pull& pull,
                                             std::string* named_digest) {
  auto reference = pull.reference.read();
  std::string digest = DigestBytes(reference.getDigest());
  Wanted wanted{.what = digest.empty() ? Wanted::What::kTag : Wanted::What::kManifest,
                .name = digest.empty() ? std::string(reference.getTag().cStr()) : digest,
                .max_bytes = kMaxDocumentBytes};
  BULKHEAD_ASSIGN_OR_RETURN(ManifestFile manifest, FetchManifest(fiber, broker, pull, wanted));
  *named_digest = manifest.digest;
  if (manifest.parsed.read().isChosen()) {
    wanted = {.what = Wanted::What::kManifest,
              .name = DigestBytes(manifest.parsed.read().getChosen().getDigest()),
              .max_bytes = kMaxDocumentBytes};
    BULKHEAD_ASSIGN_OR_RETURN(manifest, FetchManifest(fiber, broker, pull, wanted));
  }
  if (!manifest.parsed.read().isManifest()) {
    return absl::InvalidArgumentError("image: an index that points to another index");
  }
  return manifest;
}

absl::StatusOr<Record<schema::ManifestResult>> FetchConfig(Fiber& fiber, Broker& broker, Pull& pull,
                                                           schema::Descriptor::Reader descriptor) {
  std::string digest = DigestBytes(descriptor.getDigest());
  if (descriptor.getSize() > kMaxDocumentBytes) {
    return absl::ResourceExhaustedError("image configuration: over 4 MiB");
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      auto files,
      Fetch(fiber, broker, pull,
            {{.what = Wanted::What::kBlob, .name = digest, .max_bytes = descriptor.getSize()}}));
  Document document{.fd = files[0].fd.get(), .size = files[0].size, .digest = digest};
  BULKHEAD_ASSIGN_OR_RETURN(
      auto config, ParseDocument(fiber, broker, document, schema::ManifestJob::Kind::CONFIG));
  BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, document, digest));
  return config;
}

// The files that layers came in, by their digests, until it is known whether they are what they
// should be.
using Arrived = std::map<std::string, IngestName>;

LayerFetch FetchOf(Broker& broker, Pull& pull, std::shared_ptr<Arrived> arrived,
                   const std::string& digest, uint64_t size) {
  return [&broker, &pull, arrived, digest, size](
             Fiber& fiber, std::function<void(int)> begun) -> absl::StatusOr<base::UniqueFd> {
    BULKHEAD_ASSIGN_OR_RETURN(
        auto files,
        Fetch(fiber, broker, pull,
              {{.what = Wanted::What::kBlob, .name = digest, .max_bytes = size}},
              [&](const std::vector<FetchedFile>& coming) { begun(coming[0].fd.get()); }));
    if (files[0].size != size) {
      return absl::DataLossError(
          absl::StrCat("layer ", DigestText(digest), ": not as long as its manifest says"));
    }
    if (broker.config.getKeepLayers()) (*arrived)[digest] = std::move(files[0].name);
    return std::move(files[0].fd);
  };
}

// What callers are told of the way that lies ahead.
void ShowParts(Broker& broker, Pull& pull, capnp::List<schema::Descriptor>::Reader layers,
               capnp::List<schema::Digest>::Reader diff_ids) {
  for (unsigned i = 0; i < layers.size(); ++i) {
    Pull::Part part{.digest = DigestBytes(layers[i].getDigest()),
                    .diff_id = DigestBytes(diff_ids[i]),
                    .size = layers[i].getSize()};
    part.fetched = broker.state.layers().contains(base::ToHex(part.diff_id));
    pull.parts.push_back(std::move(part));
  }
}

absl::Status FetchLayers(Fiber& fiber, Broker& broker, Pull& pull,
                         capnp::List<schema::Descriptor>::Reader layers,
                         capnp::List<schema::Digest>::Reader diff_ids) {
  std::vector<WantedLayer> wanted;
  auto arrived = std::make_shared<Arrived>();
  for (unsigned i = 0; i < layers.size(); ++i) {
    std::string diff_id = DigestBytes(diff_ids[i]);
    if (broker.state.layers().contains(base::ToHex(diff_id))) continue;
    std::string digest = DigestBytes(layers[i].getDigest());
    uint64_t size = layers[i].getSize();
    wanted.push_back({.source = {.size = size, .digest = digest, .diff_id = diff_id},
                      .fetch = FetchOf(broker, pull, arrived, digest, size)});
  }
  ShowParts(broker, pull, layers, diff_ids);
  BULKHEAD_RETURN_IF_ERROR(EnsureLayers(fiber, broker, std::move(wanted)));
  for (auto& [digest, name] : *arrived) BULKHEAD_RETURN_IF_ERROR(name.Keep(broker, digest));
  return absl::OkStatus();
}

// Those of the layers as they came, or none where one of them is not kept.
std::vector<std::string> KeptBlobs(Broker& broker, capnp::List<schema::Descriptor>::Reader layers) {
  std::vector<std::string> digests;
  for (auto layer : layers) {
    digests.push_back(DigestBytes(layer.getDigest()));
    if (!HasBlob(broker, digests.back())) return {};
  }
  return digests;
}

// Keeps what the pull needs from being collected, also by the next broker, where this one does not
// come to its end.
absl::Status KeepForPull(Broker& broker, const Pull& pull, const ManifestFile& manifest,
                         capnp::List<schema::Digest>::Reader diff_ids) {
  PullLease lease{.expires_at_ns = WallClockNs() + absl::ToInt64Nanoseconds(kKeepUnfinished)};
  auto parsed = manifest.parsed.read().getManifest();
  lease.digests.insert(base::ToHex(manifest.digest));
  lease.digests.insert(base::ToHex(DigestBytes(parsed.getConfig().getDigest())));
  for (auto layer : parsed.getLayers()) {
    lease.digests.insert(base::ToHex(DigestBytes(layer.getDigest())));
  }
  for (auto diff_id : diff_ids) lease.digests.insert(base::ToHex(DigestBytes(diff_id)));
  return broker.state.SavePull(validate::FormatReference(pull.reference.read()), std::move(lease));
}

ImageNames NamesOf(schema::ImageReference::Reader reference, const std::string& digest) {
  ImageNames names;
  // A pull by digest moves no tag, whatever tag stands beside it.
  bool by_tag = reference.getTag().size() > 0 && reference.getDigest().getBytes().size() == 0;
  if (by_tag) names.tags.push_back(validate::FormatReference(reference));
  names.digests.push_back(validate::FormatDigestReference(reference, digest));
  return names;
}

uint64_t TotalSize(schema::ManifestResult::Manifest::Reader manifest) {
  uint64_t total = manifest.getConfig().getSize();
  for (auto layer : manifest.getLayers()) total += layer.getSize();
  return total;
}

// Until the image is recorded, nothing keeps its documents and layers but the caller's pin.
absl::StatusOr<std::string> FetchImage(Fiber& fiber, Broker& broker, Pull& pull) {
  std::string named_digest;
  BULKHEAD_ASSIGN_OR_RETURN(ManifestFile manifest,
                            ResolveManifest(fiber, broker, pull, &named_digest));
  BULKHEAD_ASSIGN_OR_RETURN(
      auto evidence,
      RequireSignature(fiber, broker, pull.reference.read(), {named_digest, manifest.digest},
                       RegistrySignatures(fiber, broker, pull)));
  auto parsed = manifest.parsed.read().getManifest();
  BULKHEAD_ASSIGN_OR_RETURN(auto config, FetchConfig(fiber, broker, pull, parsed.getConfig()));
  auto image = config.read().getConfig();
  if (image.getDiffIds().size() != parsed.getLayers().size()) {
    return absl::InvalidArgumentError("image: manifest and configuration differ in layers");
  }
  BULKHEAD_RETURN_IF_ERROR(KeepForPull(broker, pull, manifest, image.getDiffIds()));
  BULKHEAD_RETURN_IF_ERROR(
      FetchLayers(fiber, broker, pull, parsed.getLayers(), image.getDiffIds()));
  Document document{.fd = manifest.file.fd.get(), .size = manifest.file.size};
  BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, document, manifest.digest));
  std::string config_digest = DigestBytes(parsed.getConfig().getDigest());
  ImageNames names = NamesOf(pull.reference.read(), named_digest);
  names.layer_blobs = KeptBlobs(broker, parsed.getLayers());
  if (evidence.has_value()) names.evidence.push_back(*std::move(evidence));
  BULKHEAD_RETURN_IF_ERROR(
      NameImage(broker, config_digest, image, TotalSize(parsed), manifest.digest, names));
  return DigestText(config_digest);
}

}  // namespace

absl::StatusOr<std::string> PullImage(Fiber& fiber, Broker& broker, Pull& pull) {
  BULKHEAD_RETURN_IF_ERROR(CheckNameAllowed(broker, pull.reference.read()));
  absl::StatusOr<std::string> id = [&] {
    auto pinned = broker.PinLayers();
    return FetchImage(fiber, broker, pull);
  }();
  broker.state.ForgetPull(validate::FormatReference(pull.reference.read())).IgnoreError();
  if (!id.ok()) CollectUnused(fiber, broker);
  return id;
}

}  // namespace bulkhead::broker
