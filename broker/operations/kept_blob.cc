#include "broker/operations/kept_blob.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/hash_content.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kCopyBytes = 4 << 20;

// In pieces, so that others get their turn in between.
absl::Status CopySection(Fiber& fiber, int from, uint64_t offset, uint64_t size, int to) {
  auto at = static_cast<off_t>(offset);
  for (uint64_t left = size; left > 0;) {
    const size_t wanted = std::min<uint64_t>(left, kCopyBytes);
    ssize_t n = copy_file_range(from, &at, to, nullptr, wanted, 0);
    // Another file system: no blocks can be shared.
    if (n < 0 && errno == EXDEV) n = sendfile(to, from, &at, wanted);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::ErrnoStatus("copy a layer of the archive");
    if (n == 0) return absl::DataLossError("archive: is cut short");
    left -= static_cast<uint64_t>(n);
    fiber.Sleep(absl::ZeroDuration());
  }
  return absl::OkStatus();
}

}  // namespace

IngestName& IngestName::operator=(IngestName&& other) noexcept {
  if (this == &other) return *this;
  if (!name_.empty()) unlinkat(directory_, name_.c_str(), 0);
  directory_ = other.directory_;
  name_ = std::exchange(other.name_, "");
  return *this;
}

IngestName::~IngestName() {
  if (!name_.empty()) unlinkat(directory_, name_.c_str(), 0);
}

std::string IngestName::New() { return absl::StrCat("tmp-", base::NewId().substr(0, 32)); }

absl::Status IngestName::Keep(Broker& broker, const std::string& digest) {
  if (name_.empty()) return absl::OkStatus();
  int blobs = broker.directories.blobs.get();
  if (renameat(directory_, name_.c_str(), blobs, base::ToHex(digest).c_str()) < 0) {
    return base::ErrnoStatus("keep a layer as it came");
  }
  name_.clear();
  return absl::OkStatus();
}

bool HasBlob(Broker& broker, const std::string& digest) {
  struct stat st;
  return fstatat(broker.directories.blobs.get(), base::ToHex(digest).c_str(), &st,
                 AT_SYMLINK_NOFOLLOW) == 0;
}

absl::StatusOr<std::string> KeepSection(Fiber& fiber, Broker& broker, int archive, uint64_t offset,
                                        uint64_t size) {
  int blobs = broker.directories.blobs.get();
  std::string name = IngestName::New();
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd writer,
                            base::OpenAt(blobs, name, O_WRONLY | O_CREAT | O_EXCL,
                                         base::Resolve::kBeneathNoSymlinks, 0600));
  IngestName file(blobs, name);
  BULKHEAD_RETURN_IF_ERROR(CopySection(fiber, archive, offset, size, writer.get()));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd reader,
                            base::OpenAt(blobs, name, O_RDONLY, base::Resolve::kBeneathNoSymlinks));
  BULKHEAD_ASSIGN_OR_RETURN(std::string digest, HashFile(fiber, broker, reader.get()));
  BULKHEAD_RETURN_IF_ERROR(file.Keep(broker, digest));
  return digest;
}

}  // namespace bulkhead::broker
