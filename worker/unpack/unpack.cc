#include "worker/unpack/unpack.h"

#include <archive.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/status.h"
#include "worker/unpack/unpacker.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kReadBytes = 256 << 10;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

absl::StatusOr<ArchivePtr> OpenTar(int stream) {
  ArchivePtr a(archive_read_new());
  // The one format, and no filter: what is not a tar is no layer.
  if (!a || archive_read_support_format_tar(a.get()) != ARCHIVE_OK ||
      archive_read_open_fd(a.get(), stream, kReadBytes) != ARCHIVE_OK) {
    return a ? ArchiveStatus(a.get()) : absl::ResourceExhaustedError("tar: no memory");
  }
  return a;
}

// The tar's padding must be read too, or the process that writes it would die of its pipe.
absl::Status Drain(int stream) {
  std::vector<char> buffer(kReadBytes);
  while (true) {
    ssize_t n = read(stream, buffer.data(), buffer.size());
    if (n == 0) return absl::OkStatus();
    if (n < 0 && errno != EINTR) return base::ErrnoStatus("unpack: read");
  }
}

}  // namespace

absl::StatusOr<Unpacked> Unpack(int stream, int directory, const UnpackLimits& limits) {
  BULKHEAD_ASSIGN_OR_RETURN(ArchivePtr tar, OpenTar(stream));
  Unpacker unpacker(tar.get(), directory, limits);
  BULKHEAD_RETURN_IF_ERROR(unpacker.TakeOver());
  while (true) {
    BULKHEAD_ASSIGN_OR_RETURN(bool more, unpacker.Next());
    if (!more) break;
  }
  BULKHEAD_RETURN_IF_ERROR(unpacker.FinishDirectories());
  BULKHEAD_RETURN_IF_ERROR(Drain(stream));
  if (syncfs(directory) != 0) return base::ErrnoStatus("unpack: sync");
  return unpacker.result();
}

}  // namespace bulkhead::worker
