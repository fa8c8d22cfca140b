#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "base/erofs_format.h"
#include "worker/layer/attributes.h"

namespace bulkhead::worker {

struct PackDirectory;

// One inode of the layer. A file's, link's or fifo's lies in the image already, at nid; a
// directory's is written when all its entries are known.
struct PackInode {
  base::erofs::FileType type = base::erofs::kRegular;
  bool whiteout = false;
  uint32_t links = 0;
  uint64_t nid = 0;
  std::string target;                        // of a symbolic link
  std::unique_ptr<PackDirectory> directory;  // of a directory
};

struct PackDirectory {
  PackInode* parent = nullptr;  // the root is its own
  absl::btree_map<std::string, PackInode*> children;
  Attributes attributes;  // not set: an implied one's
  bool opaque = false;
};

// The names of a layer in memory, with the rules of LayerTree (worker/unpack): what an entry meets
// in its place, how links in a path are followed, what a whiteout does. Inodes live as long as the
// tree.
class PackTree {
 public:
  // max_made: how many inodes and links may be made.
  explicit PackTree(uint64_t max_made);

  PackInode* root() { return root_; }
  // The directory at path ("" is the root); missing ones are made. INVALID_ARGUMENT: something that
  // is no directory is in the way.
  absl::StatusOr<PackInode*> Parent(const std::string& path);
  // The same without making any; null where there is none.
  PackInode* Find(const std::string& path) const;

  // A directory there, new or kept. In the place of a whiteout it becomes opaque.
  absl::StatusOr<PackInode*> MakeDirectory(PackInode* parent, const std::string& leaf);
  // Puts a new inode there; what was there before is removed.
  absl::StatusOr<PackInode*> Make(PackInode* parent, const std::string& leaf,
                                  base::erofs::FileType type);
  absl::Status Link(PackInode* parent, const std::string& leaf, PackInode* to);
  // A new inode to be written as overlayfs's whiteout, or null where none is needed.
  absl::StatusOr<PackInode*> MakeWhiteout(PackInode* parent, const std::string& leaf);

  uint64_t made() const { return made_; }

 private:
  absl::Status CountOne();
  PackInode* New(base::erofs::FileType type);
  void Clear(PackInode* parent, const std::string& leaf);
  // Follows links in path from directory at; counts them.
  PackInode* Walk(PackInode* at, absl::string_view path, int* links_left) const;

  uint64_t max_made_;
  uint64_t made_ = 0;
  std::deque<PackInode> inodes_;
  PackInode* root_;
  std::string cached_path_;  // the last Parent: entries of one directory follow each other
  PackInode* cached_ = nullptr;
};

}  // namespace bulkhead::worker
