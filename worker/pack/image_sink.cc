#include "worker/pack/image_sink.h"

#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "security/layer_ids.h"

namespace bulkhead::worker {
namespace {

using namespace base::erofs;

constexpr uint64_t kFirstUsed = kRootOffset + sizeof(Inode) + XattrTable::kMostInlineBytes;
static_assert(kFirstUsed <= kBlockBytes && kFirstUsed % kInodeSlotBytes == 0);
// A tail above this gets a block of its own, unless the current inode block has room: it would
// leave too much of the next one empty.
constexpr uint64_t kMostNewInlineBytes = 2048;

template <typename T>
absl::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// The later one of two of the same name counts.
void Merge(std::vector<Xattr>& into, const std::vector<Xattr>& more) {
  for (const Xattr& xattr : more) {
    std::erase_if(into, [&](const Xattr& other) { return other.name == xattr.name; });
    into.push_back(xattr);
  }
}

}  // namespace

absl::Status ImageSink::Begin() { return inodes_.TakeFirst(kFirstUsed); }

absl::StatusOr<ImageSink::Head> ImageSink::MakeHead(mode_t type, const Attributes& attributes) {
  Head head;
  head.inode.mode = static_cast<uint16_t>(type | attributes.mode);
  head.inode.uid = security::kLayerIdShift + attributes.uid;
  head.inode.gid = security::kLayerIdShift + attributes.gid;
  if (attributes.times[1].tv_nsec != UTIME_NOW) {
    head.inode.mtime = attributes.times[1].tv_sec;
    head.inode.mtime_nsec = static_cast<uint32_t>(attributes.times[1].tv_nsec);
  }
  head.inode.links = 1;
  head.inode.number = next_number_++;
  std::vector<Xattr> xattrs;
  Merge(xattrs, attributes.xattrs);
  BULKHEAD_ASSIGN_OR_RETURN(head.xattrs, xattrs_.Encode(xattrs));
  head.inode.xattr_count = XattrTable::CountField(head.xattrs);
  return head;
}

absl::Status ImageSink::WriteInode(Head head, absl::string_view tail, PackInode* inode) {
  const uint64_t together = head.bytes() + tail.size();
  const bool is_inline =
      !tail.empty() && (together <= kMostNewInlineBytes || inodes_.Fits(together));
  head.inode.format = is_inline ? kExtendedInline : kExtendedPlain;
  if (!is_inline && !tail.empty()) {
    if (head.inode.size == tail.size()) {
      head.inode.start_block = static_cast<uint32_t>(file_.end() / kBlockBytes);
    }
    BULKHEAD_RETURN_IF_ERROR(file_.Append(tail));
    BULKHEAD_RETURN_IF_ERROR(file_.FillBlock());
  }
  BULKHEAD_ASSIGN_OR_RETURN(uint64_t place, inodes_.Place(is_inline ? together : head.bytes()));
  inode->nid = place / kInodeSlotBytes;
  return file_.Replace(place, absl::StrCat(BytesOf(head.inode), head.xattrs,
                                           is_inline ? tail : absl::string_view()));
}

// Whole blocks go to the image's end, the rest to *tail.
absl::Status ImageSink::WriteData(uint64_t size, Contents contents, std::string* tail) {
  const uint64_t whole = size / kBlockBytes * kBlockBytes;
  const uint64_t start = file_.end();
  tail->assign(size - whole, '\0');
  // Zero bytes up to offset, which is at most whole: a hole where that is a block or more.
  auto fill = [&](uint64_t offset) -> absl::Status {
    if (offset <= file_.end() - start) return absl::OkStatus();
    const uint64_t first =
        std::min(offset, (file_.end() - start + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
    BULKHEAD_RETURN_IF_ERROR(file_.Append(std::string(first - (file_.end() - start), '\0')));
    const uint64_t hole = (offset - first) / kBlockBytes * kBlockBytes;
    if (hole > 0) BULKHEAD_RETURN_IF_ERROR(file_.AppendHole(hole));
    return file_.Append(std::string(offset - first - hole, '\0'));
  };
  BULKHEAD_RETURN_IF_ERROR(contents([&](uint64_t offset, absl::string_view bytes) -> absl::Status {
    if (offset < whole) {
      BULKHEAD_RETURN_IF_ERROR(fill(offset));
      const size_t n = std::min<uint64_t>(bytes.size(), whole - offset);
      BULKHEAD_RETURN_IF_ERROR(file_.Append(bytes.substr(0, n)));
      bytes.remove_prefix(n);
      offset += n;
    }
    if (!bytes.empty()) tail->replace(offset - whole, bytes.size(), bytes.data(), bytes.size());
    return absl::OkStatus();
  }));
  return fill(whole);
}

absl::Status ImageSink::File(const EntryName& name, const Attributes& attributes, uint64_t size,
                             Contents contents) {
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * parent, tree_.Parent(name.parent));
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * inode, tree_.Make(parent, name.leaf, FileType::kRegular));
  BULKHEAD_ASSIGN_OR_RETURN(Head head, MakeHead(S_IFREG, attributes));
  head.inode.size = size;
  const uint64_t start = file_.end();
  std::string tail;
  BULKHEAD_RETURN_IF_ERROR(WriteData(size, contents, &tail));
  if (size >= kBlockBytes) head.inode.start_block = static_cast<uint32_t>(start / kBlockBytes);
  return WriteInode(std::move(head), tail, inode);
}

absl::Status ImageSink::Symlink(const EntryName& name, const Attributes& attributes,
                                const std::string& target) {
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * parent, tree_.Parent(name.parent));
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * inode, tree_.Make(parent, name.leaf, FileType::kSymlink));
  inode->target = target;
  Attributes kept = attributes;
  kept.xattrs.clear();
  kept.mode = 0777;
  BULKHEAD_ASSIGN_OR_RETURN(Head head, MakeHead(S_IFLNK, kept));
  head.inode.size = target.size();
  return WriteInode(std::move(head), target, inode);
}

absl::Status ImageSink::WriteSpecial(mode_t type, const Attributes& attributes, PackInode* inode) {
  BULKHEAD_ASSIGN_OR_RETURN(Head head, MakeHead(type, attributes));
  return WriteInode(std::move(head), "", inode);
}

absl::Status ImageSink::Fifo(const EntryName& name, const Attributes& attributes) {
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * parent, tree_.Parent(name.parent));
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * inode, tree_.Make(parent, name.leaf, FileType::kFifo));
  Attributes kept = attributes;
  kept.xattrs.clear();
  return WriteSpecial(S_IFIFO, kept, inode);
}

absl::Status ImageSink::HardLink(const EntryName& name, const EntryName& target) {
  PackInode* from = tree_.Find(target.parent);
  PackInode* to = nullptr;
  if (from != nullptr) {
    auto found = from->directory->children.find(target.leaf);
    if (found != from->directory->children.end()) to = found->second;
  }
  if (to == nullptr) return absl::InvalidArgumentError("a hard link to what is not in this layer");
  if (to->type == FileType::kDirectory || to->whiteout) {
    return absl::InvalidArgumentError("a hard link to a directory or a device");
  }
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * parent, tree_.Parent(name.parent));
  if (to->links == 1) linked_.push_back(to);
  return tree_.Link(parent, name.leaf, to);
}

absl::Status ImageSink::Whiteout(const std::string& parent_path, const std::string& hides) {
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * parent, tree_.Parent(parent_path));
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * inode, tree_.MakeWhiteout(parent, hides));
  if (inode == nullptr) return absl::OkStatus();
  Attributes attributes;
  attributes.mode = 0;
  return WriteSpecial(S_IFCHR, attributes, inode);  // device 0:0
}

absl::Status ImageSink::Opaque(const std::string& path) {
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * directory, tree_.Parent(path));
  directory->directory->opaque = true;
  return absl::OkStatus();
}

absl::Status ImageSink::Root(Attributes attributes) {
  std::vector<Xattr> xattrs = std::move(tree_.root()->directory->attributes.xattrs);
  Merge(xattrs, attributes.xattrs);
  attributes.xattrs = std::move(xattrs);
  tree_.root()->directory->attributes = std::move(attributes);
  return absl::OkStatus();
}

absl::Status ImageSink::Directory(const EntryName& name, Attributes attributes) {
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * parent, tree_.Parent(name.parent));
  BULKHEAD_ASSIGN_OR_RETURN(PackInode * inode, tree_.MakeDirectory(parent, name.leaf));
  std::vector<Xattr> xattrs = std::move(inode->directory->attributes.xattrs);
  Merge(xattrs, attributes.xattrs);
  attributes.xattrs = std::move(xattrs);
  inode->directory->attributes = std::move(attributes);
  return absl::OkStatus();
}

absl::Status ImageSink::CorrectLinks() {
  for (const PackInode* inode : linked_) {
    if (inode->links == 0) continue;  // replaced, all of them
    const uint64_t place = inode->nid * kInodeSlotBytes + offsetof(Inode, links);
    BULKHEAD_RETURN_IF_ERROR(file_.Replace(place, BytesOf(inode->links)));
  }
  return absl::OkStatus();
}

absl::Status ImageSink::WriteSuperBlock() {
  SuperBlock super = {};
  super.magic = kMagic;
  super.block_bits = kBlockBits;
  super.root_nid = static_cast<uint16_t>(kRootOffset / kInodeSlotBytes);
  super.inodes = next_number_ - 1;
  super.blocks = static_cast<uint32_t>((file_.end() + kBlockBytes - 1) / kBlockBytes);
  super.xattr_block = xattr_block_;
  return file_.Replace(kSuperBlockOffset, BytesOf(super));
}

absl::Status ImageSink::WriteSharedXattrs() {
  if (xattrs_.shared_area().empty()) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(file_.FillBlock());
  xattr_block_ = static_cast<uint32_t>(file_.end() / kBlockBytes);
  return file_.Append(xattrs_.shared_area());
}

absl::Status ImageSink::Finish() {
  BULKHEAD_RETURN_IF_ERROR(PlaceDirectories());
  for (Placed& placed : directories_) {
    BULKHEAD_RETURN_IF_ERROR(WriteDirectory(std::move(placed)));
  }
  BULKHEAD_RETURN_IF_ERROR(CorrectLinks());
  BULKHEAD_RETURN_IF_ERROR(WriteSharedXattrs());
  BULKHEAD_RETURN_IF_ERROR(file_.FillBlock());
  BULKHEAD_RETURN_IF_ERROR(WriteSuperBlock());
  return file_.Finish();
}

}  // namespace bulkhead::worker
