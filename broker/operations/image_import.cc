#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/image.h"
#include "broker/operations/image_record.h"
#include "broker/operations/image_trust.h"
#include "broker/operations/kept_blob.h"
#include "broker/operations/layer.h"
#include "broker/operations/signatures.h"
#include "broker/spawner/worker.h"
#include "schema/worker/import.capnp.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

using Section = schema::ImportResult::Section;

Document DocumentAt(int archive, Section::Reader section) {
  return {.fd = archive,
          .offset = section.getOffset(),
          .size = section.getSize(),
          .digest = section.getHasDigest() ? DigestBytes(section.getDigest()) : ""};
}

absl::StatusOr<Record<schema::ImportResult>> FindImages(Fiber& fiber, Broker& broker, int archive) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ImportJob>().setArchitecture(kArchitecture);
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker,
      Worker::Start(fiber, broker.spawner, security::Kind::kImport, message, {archive}));
  Record<schema::ImportResult> found;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::ImportResult>(
      fiber, [&](schema::ImportResult::Reader result, std::vector<base::UniqueFd>&) {
        found = Record<schema::ImportResult>(result);
        return absl::OkStatus();
      }));
  return found;
}

using References = std::vector<Record<schema::ImageReference>>;

// As the archive names the image, or as was asked for.
absl::StatusOr<References> ReferencesOf(schema::ImportResult::Image::Reader image,
                                        schema::ImageReference::Reader asked) {
  References references;
  if (asked.getRepository().size() > 0) {
    BULKHEAD_RETURN_IF_ERROR(validate::CheckReference("name", asked));
    references.emplace_back(asked);
    return references;
  }
  for (auto tag : image.getRepoTags()) {
    Record<schema::ImageReference> reference;
    BULKHEAD_RETURN_IF_ERROR(
        validate::ParseReference("archive's name", tag.cStr(), reference.edit()));
    references.push_back(std::move(reference));
  }
  return references;
}

// All signatures that the archive holds; which image they are for is for them to say.
absl::StatusOr<std::vector<SignatureSet>> ArchiveSignatures(Fiber& fiber, Broker& broker,
                                                            int archive,
                                                            schema::ImportResult::Reader found) {
  std::vector<SignatureSet> sets;
  for (auto signatures : found.getSignatures()) {
    BULKHEAD_ASSIGN_OR_RETURN(
        auto parsed, ParseDocument(fiber, broker, DocumentAt(archive, signatures.getManifest()),
                                   schema::ManifestJob::Kind::SIGNATURES));
    std::vector<Document> payloads;
    for (auto payload : signatures.getPayloads()) payloads.push_back(DocumentAt(archive, payload));
    auto set = MakeSignatureSet(parsed.read().getSignatures(), payloads);
    if (set.ok()) sets.push_back(*std::move(set));
  }
  if (sets.empty()) return absl::NotFoundError("the archive holds no signature");
  return sets;
}

struct Archive {
  int fd;
  schema::ImportResult::Reader found;
};

// The digest of the index that the manifest was chosen from, empty where there is none: the index
// counts only if it names this manifest for this machine.
absl::StatusOr<std::string> IndexDigest(Fiber& fiber, Broker& broker, const Archive& archive,
                                        schema::ImportResult::Image::Reader image,
                                        const std::string& manifest_digest) {
  if (image.getIndex().getSize() == 0) return std::string();
  BULKHEAD_ASSIGN_OR_RETURN(auto index,
                            ParseDocument(fiber, broker, DocumentAt(archive.fd, image.getIndex()),
                                          schema::ManifestJob::Kind::MANIFEST_OR_INDEX));
  if (!index.read().isChosen() ||
      DigestBytes(index.read().getChosen().getDigest()) != manifest_digest) {
    return absl::InvalidArgumentError("archive: the index names another manifest");
  }
  return DigestBytes(index.read().getDigest());
}

// The names under which the policy lets the image come, with the signatures that it asks for.
absl::StatusOr<ImageNames> NamesOf(Fiber& fiber, Broker& broker, const Archive& archive,
                                   schema::ImportResult::Image::Reader image,
                                   const References& references,
                                   const std::string& manifest_digest) {
  ImageNames names;
  BULKHEAD_ASSIGN_OR_RETURN(std::string index_digest,
                            IndexDigest(fiber, broker, archive, image, manifest_digest));
  for (const Record<schema::ImageReference>& reference : references) {
    BULKHEAD_ASSIGN_OR_RETURN(
        auto evidence, RequireSignature(fiber, broker, reference.read(),
                                        {index_digest, manifest_digest}, [&](const std::string&) {
                                          return ArchiveSignatures(fiber, broker, archive.fd,
                                                                   archive.found);
                                        }));
    if (evidence.has_value()) names.evidence.push_back(*std::move(evidence));
    if (reference.read().getTag().size() > 0) {
      names.tags.push_back(validate::FormatReference(reference.read()));
    }
    if (!manifest_digest.empty()) {
      names.digests.push_back(validate::FormatDigestReference(reference.read(), manifest_digest));
    }
  }
  return names;
}

absl::StatusOr<std::string> ImportOne(Fiber& fiber, Broker& broker, const Archive& archive,
                                      schema::ImportResult::Image::Reader image,
                                      schema::ImageReference::Reader asked) {
  BULKHEAD_ASSIGN_OR_RETURN(References references, ReferencesOf(image, asked));
  for (const auto& reference : references) {
    BULKHEAD_RETURN_IF_ERROR(CheckNameAllowed(broker, reference.read()));
  }
  std::string manifest_digest;
  if (image.getManifest().getSize() > 0) {
    Document document = DocumentAt(archive.fd, image.getManifest());
    BULKHEAD_ASSIGN_OR_RETURN(
        auto manifest,
        ParseDocument(fiber, broker, document, schema::ManifestJob::Kind::MANIFEST_OR_INDEX));
    manifest_digest = DigestBytes(manifest.read().getDigest());
    BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, document, manifest_digest));
  }
  Document config_document = DocumentAt(archive.fd, image.getConfig());
  BULKHEAD_ASSIGN_OR_RETURN(auto config, ParseDocument(fiber, broker, config_document,
                                                       schema::ManifestJob::Kind::CONFIG));
  auto parsed = config.read().getConfig();
  if (parsed.getDiffIds().size() != image.getLayers().size()) {
    return absl::InvalidArgumentError("archive: manifest and configuration differ in layers");
  }
  std::string config_digest = DigestBytes(config.read().getDigest());
  BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, config_document, config_digest));

  std::vector<WantedLayer> layers;
  uint64_t size = config_document.size;
  for (unsigned i = 0; i < image.getLayers().size(); ++i) {
    Document at = DocumentAt(archive.fd, image.getLayers()[i]);
    size += at.size;
    layers.push_back({.source = {.fd = archive.fd,
                                 .offset = at.offset,
                                 .size = at.size,
                                 .digest = at.digest,
                                 .diff_id = DigestBytes(parsed.getDiffIds()[i])}});
  }
  BULKHEAD_ASSIGN_OR_RETURN(ImageNames names,
                            NamesOf(fiber, broker, archive, image, references, manifest_digest));
  BULKHEAD_RETURN_IF_ERROR(EnsureLayers(fiber, broker, std::move(layers)));
  for (unsigned i = 0; broker.config.getKeepLayers() && i < image.getLayers().size(); ++i) {
    auto layer = image.getLayers()[i];
    BULKHEAD_ASSIGN_OR_RETURN(
        names.layer_blobs.emplace_back(),
        KeepSection(fiber, broker, archive.fd, layer.getOffset(), layer.getSize()));
  }
  BULKHEAD_RETURN_IF_ERROR(NameImage(broker, config_digest, parsed, size, manifest_digest, names));
  return DigestText(config_digest);
}

absl::StatusOr<std::vector<std::string>> ImportAll(Fiber& fiber, Broker& broker,
                                                   const Archive& archive,
                                                   schema::ImageReference::Reader asked) {
  std::vector<std::string> ids;
  for (auto image : archive.found.getImages()) {
    BULKHEAD_ASSIGN_OR_RETURN(std::string id, ImportOne(fiber, broker, archive, image, asked));
    ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ImportImages(Fiber& fiber, Broker& broker, int archive,
                                                      schema::ImageReference::Reader reference) {
  struct stat about = {};
  if (fstat(archive, &about) < 0 || !S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError("archive: not a regular file");
  }
  BULKHEAD_ASSIGN_OR_RETURN(auto found, FindImages(fiber, broker, archive));
  auto images = found.read().getImages();
  if (images.size() == 0) return absl::InvalidArgumentError("archive: holds no image");
  if (images.size() > 1 && reference.getRepository().size() > 0) {
    return absl::InvalidArgumentError("name: the archive holds several images");
  }
  absl::StatusOr<std::vector<std::string>> ids = [&] {
    auto pinned = broker.PinLayers();
    return ImportAll(fiber, broker, {archive, found.read()}, reference);
  }();
  if (!ids.ok()) CollectUnused(fiber, broker);
  return ids;
}

}  // namespace bulkhead::broker
