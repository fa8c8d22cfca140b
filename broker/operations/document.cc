#include "broker/operations/document.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/spawner/worker.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kMaxDocumentBytes = 4 << 20;

}  // namespace

absl::StatusOr<Record<schema::ManifestResult>> ParseDocument(Fiber& fiber, Broker& broker,
                                                             const Document& document,
                                                             schema::ManifestJob::Kind kind,
                                                             schema::Descriptor::MediaType said) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::ManifestJob>();
  job.setKind(kind);
  job.setOffset(document.offset);
  job.setSize(document.size);
  job.setHasDigest(!document.digest.empty());
  job.initDigest().setBytes(
      kj::StringPtr(document.digest.c_str(), document.digest.size()).asBytes());
  job.setMediaType(said);
  job.setArchitecture(kArchitecture);
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kManifest, message,
                                 {document.fd}, {.result = {.max_bytes = 8 << 20}}));
  Record<schema::ManifestResult> result;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::ManifestResult>(
      fiber, [&](schema::ManifestResult::Reader answer, std::vector<base::UniqueFd>&) {
        result = Record<schema::ManifestResult>(answer);
        return absl::OkStatus();
      }));
  return result;
}

absl::Status StoreDocument(Broker& broker, const Document& document, absl::string_view digest) {
  if (document.size > kMaxDocumentBytes) {
    return absl::ResourceExhaustedError("an image document is over 4 MiB");
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::string bytes,
                            base::ReadAt(document.fd, document.offset, document.size));
  int blobs = broker.directories.blobs.get();
  std::string name = base::ToHex(digest);
  std::string temporary = absl::StrCat("tmp-", base::NewId().substr(0, 32));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd file,
                            base::OpenAt(blobs, temporary, O_WRONLY | O_CREAT | O_EXCL,
                                         base::Resolve::kBeneathNoSymlinks, 0600));
  absl::Status written = base::WriteAll(file.get(), bytes);
  if (written.ok() && fsync(file.get()) < 0) written = base::ErrnoStatus("sync a blob");
  if (written.ok() && renameat(blobs, temporary.c_str(), blobs, name.c_str()) < 0) {
    written = base::ErrnoStatus("put a blob in its place");
  }
  if (!written.ok()) unlinkat(blobs, temporary.c_str(), 0);
  return written;
}

}  // namespace bulkhead::broker
