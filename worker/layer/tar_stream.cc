#include "worker/layer/tar_stream.h"

#include <archive.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

TarStream::TarStream(int fd, uint64_t max_bytes)
    : fd_(fd), left_(max_bytes), archive_(archive_read_new()), buffer_(kReadBytes) {}

TarStream::~TarStream() {
  if (archive_ != nullptr) archive_read_free(archive_);
}

absl::Status TarStream::Open() {
  if (archive_ == nullptr) return absl::ResourceExhaustedError("tar: no memory");
  // The one format, and no filter: what is not a tar is no layer.
  if (archive_read_support_format_tar(archive_) != ARCHIVE_OK ||
      archive_read_open(archive_, this, nullptr, &TarStream::OnRead, nullptr) != ARCHIVE_OK) {
    return Error();
  }
  return absl::OkStatus();
}

absl::Status TarStream::Error() const {
  if (!status_.ok()) return status_;
  const char* text = archive_error_string(archive_);
  return absl::DataLossError(absl::StrCat("tar: ", text ? text : "damaged"));
}

ssize_t TarStream::OnRead(archive* a, void* self, const void** bytes) {
  auto* stream = static_cast<TarStream*>(self);
  *bytes = stream->buffer_.data();
  ssize_t n = stream->Read();
  if (n < 0) archive_set_error(a, EIO, "reading failed");
  return n;
}

ssize_t TarStream::Read() {
  ssize_t n;
  do {
    n = read(fd_, buffer_.data(), buffer_.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    status_ = base::ErrnoStatus("tar: read");
  } else if (static_cast<uint64_t>(n) > left_) {
    status_ = absl::ResourceExhaustedError("tar: longer than the layer may be");
  }
  if (!status_.ok()) return -1;
  left_ -= n;
  hash_.Update(absl::string_view(buffer_.data(), n));
  return n;
}

absl::Status TarStream::Drain() {
  while (true) {
    ssize_t n = Read();
    if (n == 0) return absl::OkStatus();
    if (n < 0) return status_;
  }
}

}  // namespace bulkhead::worker
