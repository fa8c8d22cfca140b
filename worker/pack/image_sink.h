#pragma once

#include <string>

#include "worker/layer/layer_sink.h"
#include "worker/pack/image_file.h"
#include "worker/pack/pack_tree.h"
#include "worker/pack/xattrs.h"

namespace bulkhead::worker {

// Makes a layer as an EROFS image in one file, as the entries come: contents go straight to the
// file, each inode with its last part block beside it; names stay in memory, and directories come
// last. The same entries make the same bytes. Owners are moved up (security/layer_ids.h) as in a
// directory.
class ImageSink : public LayerSink {
 public:
  // fd: a regular file, empty, open for writing; stays the caller's.
  ImageSink(int fd, uint64_t max_made) : file_(fd), inodes_(file_), tree_(max_made) {}

  // Before the first entry.
  absl::Status Begin();

  absl::Status Root(Attributes attributes) override;
  absl::Status Directory(const EntryName& name, Attributes attributes) override;
  absl::Status File(const EntryName& name, const Attributes& attributes, uint64_t size,
                    Contents contents) override;
  absl::Status Symlink(const EntryName& name, const Attributes& attributes,
                       const std::string& target) override;
  absl::Status Fifo(const EntryName& name, const Attributes& attributes) override;
  absl::Status HardLink(const EntryName& name, const EntryName& target) override;
  absl::Status Whiteout(const std::string& parent, const std::string& hides) override;
  absl::Status Opaque(const std::string& directory) override;
  uint64_t made() const override { return tree_.made(); }

  // After the last entry: what is not written yet.
  absl::Status Finish();

 private:
  // An inode to be written. head: it and its xattrs.
  struct Head {
    base::erofs::Inode inode = {};
    std::string xattrs;
    size_t bytes() const { return sizeof(inode) + xattrs.size(); }
  };

  absl::StatusOr<Head> MakeHead(mode_t type, const Attributes& attributes);
  absl::Status WriteData(uint64_t size, Contents contents, std::string* tail);
  // Puts the inode with its tail (a part block) into the image and says where.
  absl::Status WriteInode(Head head, absl::string_view tail, PackInode* inode);
  absl::Status WriteSpecial(mode_t type, const Attributes& attributes, PackInode* inode);
  // A directory whose inode has its place.
  struct Placed {
    PackInode* inode;
    Head head;
  };
  absl::Status PlaceDirectories();
  absl::StatusOr<Placed> PlaceDirectory(PackInode* inode);
  absl::Status WriteDirectory(Placed placed);
  absl::Status CorrectLinks();
  absl::Status WriteSharedXattrs();
  absl::Status WriteSuperBlock();

  ImageFile file_;
  InodeBlocks inodes_;
  PackTree tree_;
  XattrTable xattrs_;
  std::vector<Placed> directories_;  // all that are in the tree at the end, parents first
  std::vector<PackInode*> linked_;   // files that ever had more than one name
  uint32_t next_number_ = 1;
  uint32_t xattr_block_ = 0;
};

}  // namespace bulkhead::worker
