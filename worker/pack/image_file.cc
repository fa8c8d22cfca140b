#include "worker/pack/image_file.h"

#include <unistd.h>

#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/erofs_format.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

using base::erofs::kBlockBytes;
using base::erofs::kInodeSlotBytes;

constexpr size_t kWindowBytes = 1 << 20;
// Blocks are numbered with 32 bits.
constexpr uint64_t kMaxImageBytes =
    (uint64_t{std::numeric_limits<uint32_t>::max()} - 1) * kBlockBytes;

}  // namespace

ImageFile::ImageFile(int fd) : fd_(fd) { window_.reserve(kWindowBytes); }

absl::Status ImageFile::WriteAt(uint64_t offset, absl::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::ErrnoStatus("write the image");
    offset += n;
    bytes.remove_prefix(n);
  }
  return absl::OkStatus();
}

absl::Status ImageFile::Flush() {
  BULKHEAD_RETURN_IF_ERROR(WriteAt(start_, window_));
  start_ += window_.size();
  window_.clear();
  return absl::OkStatus();
}

absl::Status ImageFile::Append(absl::string_view bytes) {
  if (bytes.size() > kMaxImageBytes - end()) {
    return absl::ResourceExhaustedError("the image would be over 16 TiB");
  }
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kWindowBytes - window_.size());
    window_.append(bytes.data(), n);
    bytes.remove_prefix(n);
    if (window_.size() == kWindowBytes) BULKHEAD_RETURN_IF_ERROR(Flush());
  }
  return absl::OkStatus();
}

absl::Status ImageFile::FillBlock() {
  static constexpr char kZeros[kBlockBytes] = {};
  const uint64_t used = end() % kBlockBytes;
  return used == 0 ? absl::OkStatus() : Append({kZeros, kBlockBytes - used});
}

absl::Status ImageFile::AppendHole(uint64_t bytes) {
  if (bytes > kMaxImageBytes - end()) {
    return absl::ResourceExhaustedError("the image would be over 16 TiB");
  }
  BULKHEAD_RETURN_IF_ERROR(Flush());
  start_ += bytes;
  return absl::OkStatus();
}

absl::Status ImageFile::Replace(uint64_t offset, absl::string_view bytes) {
  if (offset < start_) {
    const size_t before = std::min<uint64_t>(bytes.size(), start_ - offset);
    BULKHEAD_RETURN_IF_ERROR(WriteAt(offset, bytes.substr(0, before)));
    offset += before;
    bytes.remove_prefix(before);
  }
  if (!bytes.empty()) window_.replace(offset - start_, bytes.size(), bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status ImageFile::Finish() {
  BULKHEAD_RETURN_IF_ERROR(FillBlock());
  BULKHEAD_RETURN_IF_ERROR(Flush());
  // A hole at the end was never written.
  if (ftruncate(fd_, static_cast<off_t>(start_)) != 0) {
    return base::ErrnoStatus("set the image's length");
  }
  return absl::OkStatus();
}

absl::Status InodeBlocks::TakeFirst(uint64_t used) {
  any_ = true;
  used_ = used;
  return file_.Append(std::string(kBlockBytes, '\0'));
}

bool InodeBlocks::Fits(uint64_t bytes) const { return any_ && bytes <= kBlockBytes - used_; }

absl::StatusOr<uint64_t> InodeBlocks::Place(uint64_t bytes) {
  if (bytes > kBlockBytes) return absl::InternalError("an inode larger than a block");
  if (!Fits(bytes)) {
    BULKHEAD_RETURN_IF_ERROR(file_.FillBlock());
    any_ = true;
    block_ = file_.end();
    used_ = 0;
    BULKHEAD_RETURN_IF_ERROR(file_.Append(std::string(kBlockBytes, '\0')));
  }
  const uint64_t place = block_ + used_;
  used_ += (bytes + kInodeSlotBytes - 1) / kInodeSlotBytes * kInodeSlotBytes;
  return place;
}

}  // namespace bulkhead::worker
