#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/erofs_format.h"

namespace bulkhead::worker {

// The root's inode has its place behind the superblock, because its number has 16 bits only.
inline constexpr uint64_t kRootOffset =
    base::erofs::kSuperBlockOffset + sizeof(base::erofs::SuperBlock);
static_assert(kRootOffset % base::erofs::kInodeSlotBytes == 0);

// The file that an image is written to: from the start to the end, with corrections of what was
// written before. Large writes, whatever the pieces.
class ImageFile {
 public:
  // fd: a regular file, empty, open for writing; stays the caller's.
  explicit ImageFile(int fd);

  // Where the next byte goes.
  uint64_t end() const { return start_ + window_.size(); }
  absl::Status Append(absl::string_view bytes);
  // Zero bytes up to a multiple of a block.
  absl::Status FillBlock();
  // Zero bytes that take no space on the disk; whole blocks, at the start of a block.
  absl::Status AppendHole(uint64_t bytes);
  // Replaces bytes before end().
  absl::Status Replace(uint64_t offset, absl::string_view bytes);
  // Once, at the end.
  absl::Status Finish();

 private:
  absl::Status Flush();
  absl::Status WriteAt(uint64_t offset, absl::string_view bytes);

  int fd_;
  uint64_t start_ = 0;  // of the window: all before it is in the file
  std::string window_;
};

// Where inodes go, each with what follows it inline: in blocks of their own between the files'
// data. The kernel wants an inline part to lie in one block with nothing else asked of it.
class InodeBlocks {
 public:
  explicit InodeBlocks(ImageFile& file) : file_(file) {}

  // The file's first block, whose first bytes are used by others.
  absl::Status TakeFirst(uint64_t used);
  // Room for bytes (at most a block), all in one block; returns its offset, a multiple of an inode
  // slot. The bytes there are zero.
  absl::StatusOr<uint64_t> Place(uint64_t bytes);
  // Whether Place would need no new block.
  bool Fits(uint64_t bytes) const;

 private:
  ImageFile& file_;
  uint64_t block_ = 0;  // offset of the current one
  uint64_t used_;
  bool any_ = false;
};

}  // namespace bulkhead::worker
