#include "worker/pack/pack_tree.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

using base::erofs::FileType;

constexpr int kMostLinks = 40;  // as the kernel follows in one path

PackInode* Child(PackInode* parent, absl::string_view leaf) {
  auto found = parent->directory->children.find(leaf);
  return found == parent->directory->children.end() ? nullptr : found->second;
}

}  // namespace

PackTree::PackTree(uint64_t max_made) : max_made_(max_made), root_(New(FileType::kDirectory)) {
  root_->directory->parent = root_;
  root_->links = 1;
}

PackInode* PackTree::New(FileType type) {
  PackInode& inode = inodes_.emplace_back();
  inode.type = type;
  if (type == FileType::kDirectory) inode.directory = std::make_unique<PackDirectory>();
  return &inode;
}

absl::Status PackTree::CountOne() {
  if (made_ == max_made_) {
    return absl::ResourceExhaustedError(absl::StrCat("more than ", max_made_, " entries"));
  }
  ++made_;
  return absl::OkStatus();
}

PackInode* PackTree::Walk(PackInode* at, absl::string_view path, int* links_left) const {
  if (!path.empty() && path[0] == '/') at = root_;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (at->type != FileType::kDirectory) return nullptr;
    if (part == ".") continue;
    if (part == "..") {
      at = at->directory->parent;
      continue;
    }
    PackInode* next = Child(at, part);
    if (next == nullptr) return nullptr;
    if (next->type == FileType::kSymlink) {
      if (--*links_left < 0) return nullptr;
      next = Walk(at, next->target, links_left);
      if (next == nullptr) return nullptr;
    }
    at = next;
  }
  return at;
}

PackInode* PackTree::Find(const std::string& path) const {
  int links_left = kMostLinks;
  PackInode* found = Walk(root_, path, &links_left);
  return found != nullptr && found->type == FileType::kDirectory ? found : nullptr;
}

// The whole path at once where it exists; else from the first component on.
absl::StatusOr<PackInode*> PackTree::Parent(const std::string& path) {
  if (path.empty()) return root_;
  if (cached_ != nullptr && cached_path_ == path) return cached_;
  PackInode* at = Find(path);
  if (at == nullptr) {
    at = root_;
    for (size_t end = 0; end < path.size(); ++end) {
      const size_t begin = end;
      end = std::min(path.find('/', begin), path.size());
      PackInode* next = Find(path.substr(0, end));
      if (next == nullptr) {
        const std::string leaf = path.substr(begin, end - begin);
        const PackInode* there = Child(at, leaf);
        if (there != nullptr && !there->whiteout) {
          return absl::InvalidArgumentError("a parent is no directory, or a link to none");
        }
        BULKHEAD_ASSIGN_OR_RETURN(next, MakeDirectory(at, leaf));
      }
      at = next;
    }
  }
  cached_path_ = path;
  cached_ = at;
  return at;
}

// Not recursive: a layer may be made as deep as it likes through its own links.
void PackTree::Clear(PackInode* parent, const std::string& leaf) {
  auto found = parent->directory->children.find(leaf);
  if (found == parent->directory->children.end()) return;
  cached_ = nullptr;  // its path may mean something else from here on
  std::vector<PackInode*> gone = {found->second};
  parent->directory->children.erase(found);
  while (!gone.empty()) {
    PackInode* inode = gone.back();
    gone.pop_back();
    --inode->links;
    if (inode->type != FileType::kDirectory) continue;
    for (const auto& [name, child] : inode->directory->children) gone.push_back(child);
    inode->directory->children.clear();
  }
}

absl::StatusOr<PackInode*> PackTree::Make(PackInode* parent, const std::string& leaf,
                                          FileType type) {
  BULKHEAD_RETURN_IF_ERROR(CountOne());
  Clear(parent, leaf);
  PackInode* inode = New(type);
  inode->links = 1;
  if (inode->directory != nullptr) inode->directory->parent = parent;
  parent->directory->children[leaf] = inode;
  return inode;
}

absl::Status PackTree::Link(PackInode* parent, const std::string& leaf, PackInode* to) {
  if (Child(parent, leaf) == to) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(CountOne());
  Clear(parent, leaf);
  parent->directory->children[leaf] = to;
  ++to->links;
  return absl::OkStatus();
}

absl::StatusOr<PackInode*> PackTree::MakeDirectory(PackInode* parent, const std::string& leaf) {
  PackInode* there = Child(parent, leaf);
  if (there != nullptr && there->type == FileType::kDirectory) return there;
  const bool hidden = there != nullptr && there->whiteout;
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * made, Make(parent, leaf, FileType::kDirectory));
  made->directory->opaque = hidden;
  return made;
}

absl::StatusOr<PackInode*> PackTree::MakeWhiteout(PackInode* parent, const std::string& leaf) {
  if (PackInode* there = Child(parent, leaf)) {
    // What this layer itself has there hides the layers below already.
    if (there->type == FileType::kDirectory) there->directory->opaque = true;
    return static_cast<PackInode*>(nullptr);
  }
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * made, Make(parent, leaf, FileType::kCharacter));
  made->whiteout = true;
  return made;
}

}  // namespace bulkhead::worker
