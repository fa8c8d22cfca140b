#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/fetch.h"
#include "broker/operations/image.h"
#include "broker/operations/image_record.h"
#include "broker/operations/layer.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kMaxManifestBytes = 4 << 20;

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

// The manifest for this machine, and the digest of the document that the reference named (an index or itself).
absl::StatusOr<ManifestFile> ResolveManifest(Fiber& fiber, Broker& broker, Pull& pull,
                                             std::string* named_digest) {
  schema::ImageReference::Reader reference = pull.reference;
  std::string digest = DigestBytes(reference.getDigest());
  Wanted wanted{.what = digest.empty() ? Wanted::What::kTag : Wanted::What::kManifest,
                .name = digest.empty() ? std::string(reference.getTag().cStr()) : digest,
                .max_bytes = kMaxManifestBytes};
  BULKHEAD_ASSIGN_OR_RETURN(ManifestFile manifest, FetchManifest(fiber, broker, pull, wanted));
  *named_digest = manifest.digest;
  if (manifest.parsed.read().isChosen()) {
    wanted = {.what = Wanted::What::kManifest,
              .name = DigestBytes(manifest.parsed.read().getChosen().getDigest()),
              .max_bytes = kMaxManifestBytes};
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
  if (descriptor.getSize() > kMaxManifestBytes) {
    return absl::ResourceExhaustedError("image configuration: over 4 MiB");
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      auto files, Fetch(fiber, broker, pull,
                        {{.what = Wanted::What::kBlob,
                          .name = digest,
                          .max_bytes = descriptor.getSize()}}));
  Document document{.fd = files[0].fd.get(), .size = files[0].size, .digest = digest};
  BULKHEAD_ASSIGN_OR_RETURN(
      auto config, ParseDocument(fiber, broker, document, schema::ManifestJob::Kind::CONFIG));
  BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, document, digest));
  return config;
}

absl::Status FetchLayers(Fiber& fiber, Broker& broker, Pull& pull,
                         capnp::List<schema::Descriptor>::Reader layers,
                         capnp::List<schema::Digest>::Reader diff_ids) {
  std::vector<Wanted> wanted;
  std::vector<LayerSource> sources;
  for (unsigned i = 0; i < layers.size(); ++i) {
    std::string diff_id = DigestBytes(diff_ids[i]);
    if (broker.state.layers().contains(base::ToHex(diff_id))) continue;
    std::string digest = DigestBytes(layers[i].getDigest());
    wanted.push_back(
        {.what = Wanted::What::kBlob, .name = digest, .max_bytes = layers[i].getSize()});
    sources.push_back({.size = layers[i].getSize(), .digest = digest, .diff_id = diff_id});
  }
  if (wanted.empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(auto files, Fetch(fiber, broker, pull, wanted));
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].size != sources[i].size) {
      return absl::DataLossError(absl::StrCat("layer ", DigestText(sources[i].digest),
                                              ": not as long as its manifest says"));
    }
    sources[i].fd = files[i].fd.get();
  }
  return EnsureLayers(fiber, broker, sources);
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
  auto parsed = manifest.parsed.read().getManifest();
  BULKHEAD_ASSIGN_OR_RETURN(auto config,
                            FetchConfig(fiber, broker, pull, parsed.getConfig()));
  auto image = config.read().getConfig();
  if (image.getDiffIds().size() != parsed.getLayers().size()) {
    return absl::InvalidArgumentError("image: manifest and configuration differ in layers");
  }
  BULKHEAD_RETURN_IF_ERROR(
      FetchLayers(fiber, broker, pull, parsed.getLayers(), image.getDiffIds()));
  Document document{.fd = manifest.file.fd.get(), .size = manifest.file.size};
  BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, document, manifest.digest));
  std::string config_digest = DigestBytes(parsed.getConfig().getDigest());
  BULKHEAD_RETURN_IF_ERROR(NameImage(broker, config_digest, image, TotalSize(parsed),
                                     manifest.digest, NamesOf(pull.reference, named_digest)));
  return DigestText(config_digest);
}

}  // namespace

absl::StatusOr<std::string> PullImage(Fiber& fiber, Broker& broker,
                                      schema::ImageReference::Reader reference) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckReference("image.image", reference));
  auto ordered = broker.keys.Acquire(
      fiber, absl::StrCat("pull ", validate::FormatReference(reference)));
  absl::StatusOr<std::string> id = [&] {
    auto pinned = broker.PinLayers();
    Pull pull{.reference = reference};
    return FetchImage(fiber, broker, pull);
  }();
  if (!id.ok()) CollectUnused(fiber, broker);
  return id;
}

}  // namespace bulkhead::broker
