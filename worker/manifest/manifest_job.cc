#include "worker/manifest/manifest_job.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/status.h"
#include "worker/parse/image_config.h"
#include "worker/parse/image_manifest.h"
#include "worker/parse/sha256.h"
#include "worker/parse/signature_manifest.h"

namespace bulkhead::worker {
namespace {

absl::StatusOr<std::string> ReadDocument(schema::ManifestJob::Reader job, int fd) {
  if (job.getSize() > kMaxDocumentBytes) {
    return absl::ResourceExhaustedError("document: over 4 MiB");
  }
  if (job.getSize() == 0) return absl::InvalidArgumentError("document: is empty");
  if (job.getOffset() > static_cast<uint64_t>(std::numeric_limits<off_t>::max())) {
    return absl::InvalidArgumentError("document: lies beyond any file");
  }
  return base::ReadAt(fd, static_cast<off_t>(job.getOffset()), job.getSize());
}

absl::Status CheckDigest(schema::ManifestJob::Reader job, const std::string& digest) {
  if (!job.getHasDigest()) return absl::OkStatus();
  capnp::Data::Reader wanted = job.getDigest().getBytes();
  if (wanted.size() == digest.size() && memcmp(wanted.begin(), digest.data(), digest.size()) == 0) {
    return absl::OkStatus();
  }
  return absl::DataLossError("document: its digest is not the wanted one");
}

void WriteManifest(const ImageManifest& from, schema::ManifestResult::Manifest::Builder to) {
  WriteDescriptor(from.config, to.initConfig());
  auto layers = to.initLayers(from.layers.size());
  for (size_t i = 0; i < from.layers.size(); ++i) WriteDescriptor(from.layers[i], layers[i]);
}

absl::Status ReadManifestOrIndex(const Json& document, MediaType said, const Platform& wanted,
                                 schema::ManifestResult::Builder result) {
  BULKHEAD_ASSIGN_OR_RETURN(MediaType type, ClassifyDocument(document, said));
  if (type == MediaType::MANIFEST) {
    BULKHEAD_ASSIGN_OR_RETURN(ImageManifest manifest, ParseManifest(document));
    WriteManifest(manifest, result.initManifest());
    return absl::OkStatus();
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<IndexEntry> entries, ParseIndex(document));
  BULKHEAD_ASSIGN_OR_RETURN(IndexEntry chosen, ChoosePlatform(entries, wanted));
  WriteDescriptor(chosen.descriptor, result.initChosen());
  return absl::OkStatus();
}

absl::Status ReadSignatures(const Json& document, schema::ManifestResult::Builder result) {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<ManifestSignature> signatures, ParseSignatures(document));
  auto list = result.initSignatures(signatures.size());
  for (size_t i = 0; i < signatures.size(); ++i) {
    WriteDescriptor(signatures[i].payload, list[i].initPayload());
    const std::string& bytes = signatures[i].signature;
    list[i].setBytes(kj::StringPtr(bytes.c_str(), bytes.size()).asBytes());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunManifestJob(schema::ManifestJob::Reader job, int document,
                            schema::ManifestResult::Builder result) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, ReadDocument(job, document));
  Sha256 hash;
  hash.Update(text);
  std::string digest = hash.Finish();
  WriteDigest(digest, result.initDigest());
  BULKHEAD_RETURN_IF_ERROR(CheckDigest(job, digest));
  BULKHEAD_ASSIGN_OR_RETURN(Json json, ParseStrictJson(text));
  Platform wanted{job.getArchitecture(), job.getVariant()};
  switch (job.getKind()) {
    case schema::ManifestJob::Kind::MANIFEST_OR_INDEX:
      return ReadManifestOrIndex(json, job.getMediaType(), wanted, result);
    case schema::ManifestJob::Kind::CONFIG:
      return ReadImageConfig(json, wanted, result.initConfig());
    case schema::ManifestJob::Kind::SIGNATURES:
      return ReadSignatures(json, result);
  }
  return absl::InvalidArgumentError("manifest job: unknown kind");
}

}  // namespace bulkhead::worker
