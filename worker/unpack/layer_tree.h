#pragma once

#include <sys/stat.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace bulkhead::worker {

// The layer's directory as far as names go. Every path is resolved inside it by the kernel
// (openat2, IN_ROOT, no magic links), so that no link that an earlier entry planted leads out; the
// last component is never followed.
class LayerTree {
 public:
  // root stays the caller's. max_made: how many inodes may be made.
  LayerTree(int root, uint64_t max_made) : root_(root), max_made_(max_made) {}

  // The directory at path ("" is the root); missing ones are made (0755, owner 0). Valid until the
  // next call. INVALID_ARGUMENT: something that is no directory is in the way.
  absl::StatusOr<int> Parent(const std::string& path);
  // The same without making any; the caller's. NOT_FOUND.
  absl::StatusOr<base::UniqueFd> Find(const std::string& path) const;

  // A directory there, new or kept. In the place of a whiteout it hides what the layers below have.
  absl::Status MakeDirectory(int parent, const std::string& leaf);
  // Calls make, a system call that must not replace anything; what was there before (also a tree)
  // is removed.
  absl::Status Make(int parent, const std::string& leaf, absl::FunctionRef<int()> make);
  // Hides leaf of the layers below: overlayfs's whiteout, or opacity where this layer has the
  // directory already.
  absl::Status MakeWhiteout(int parent, const std::string& leaf);
  // Hides everything that the layers below have in this directory.
  absl::Status MakeOpaque(int directory);

  // Inodes made.
  uint64_t made() const { return made_; }

 private:
  absl::Status CountOne();
  absl::Status Clear(int parent, const std::string& leaf);
  absl::Status NewDirectory(int parent, const std::string& leaf);
  absl::StatusOr<base::UniqueFd> OpenOrMake(const std::string& path);

  int root_;
  uint64_t max_made_;
  uint64_t made_ = 0;
  // The last Parent: entries of one directory follow each other.
  std::string cached_path_;
  base::UniqueFd cached_;
};

}  // namespace bulkhead::worker
