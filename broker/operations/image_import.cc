#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/image.h"
#include "broker/operations/image_record.h"
#include "broker/operations/layer.h"
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

// Names as the archive gives them, or the one that was asked for.
absl::StatusOr<ImageNames> NamesOf(schema::ImportResult::Image::Reader image,
                                   schema::ImageReference::Reader asked,
                                   const std::string& manifest_digest) {
  ImageNames names;
  auto add = [&](schema::ImageReference::Reader reference) {
    if (reference.getTag().size() > 0) names.tags.push_back(validate::FormatReference(reference));
    if (!manifest_digest.empty()) {
      names.digests.push_back(validate::FormatDigestReference(reference, manifest_digest));
    }
  };
  if (asked.getRepository().size() > 0) {
    BULKHEAD_RETURN_IF_ERROR(validate::CheckReference("name", asked));
    add(asked);
    return names;
  }
  for (auto tag : image.getRepoTags()) {
    capnp::MallocMessageBuilder message;
    auto reference = message.initRoot<schema::ImageReference>();
    BULKHEAD_RETURN_IF_ERROR(validate::ParseReference("archive's name", tag.cStr(), reference));
    add(reference.asReader());
  }
  return names;
}

absl::StatusOr<std::string> ImportOne(Fiber& fiber, Broker& broker, int archive,
                                      schema::ImportResult::Image::Reader image,
                                      schema::ImageReference::Reader asked) {
  std::string manifest_digest;
  if (image.getManifest().getSize() > 0) {
    Document document = DocumentAt(archive, image.getManifest());
    BULKHEAD_ASSIGN_OR_RETURN(
        auto manifest,
        ParseDocument(fiber, broker, document, schema::ManifestJob::Kind::MANIFEST_OR_INDEX));
    manifest_digest = DigestBytes(manifest.read().getDigest());
    BULKHEAD_RETURN_IF_ERROR(StoreDocument(broker, document, manifest_digest));
  }
  Document config_document = DocumentAt(archive, image.getConfig());
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
    Document at = DocumentAt(archive, image.getLayers()[i]);
    size += at.size;
    layers.push_back({.source = {.fd = archive,
                                 .offset = at.offset,
                                 .size = at.size,
                                 .digest = at.digest,
                                 .diff_id = DigestBytes(parsed.getDiffIds()[i])}});
  }
  BULKHEAD_RETURN_IF_ERROR(EnsureLayers(fiber, broker, std::move(layers)));
  BULKHEAD_ASSIGN_OR_RETURN(ImageNames names, NamesOf(image, asked, manifest_digest));
  BULKHEAD_RETURN_IF_ERROR(NameImage(broker, config_digest, parsed, size, manifest_digest, names));
  return DigestText(config_digest);
}

absl::StatusOr<std::vector<std::string>> ImportAll(
    Fiber& fiber, Broker& broker, int archive,
    capnp::List<schema::ImportResult::Image>::Reader images, schema::ImageReference::Reader asked) {
  std::vector<std::string> ids;
  for (auto image : images) {
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
    return ImportAll(fiber, broker, archive, images, reference);
  }();
  if (!ids.ok()) CollectUnused(fiber, broker);
  return ids;
}

}  // namespace bulkhead::broker
