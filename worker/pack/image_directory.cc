// The directories of an image: their inodes get their places first, because every entry names one.
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "worker/pack/image_sink.h"

namespace bulkhead::worker {
namespace {

using namespace base::erofs;

constexpr char kOpaqueXattr[] = "user.overlay.opaque";
constexpr mode_t kImpliedMode = 0755;

struct Entry {
  absl::string_view name;
  const PackInode* inode;
  size_t bytes() const { return sizeof(DirectoryEntry) + name.size(); }
};

// In the order of their bytes, which the kernel's search relies on.
std::vector<Entry> SortedEntries(const PackInode* inode) {
  std::vector<Entry> entries;
  entries.reserve(inode->directory->children.size() + 2);
  for (const auto& [name, child] : inode->directory->children) entries.push_back({name, child});
  for (const Entry& dot : {Entry{".", inode}, Entry{"..", inode->directory->parent}}) {
    auto after = std::upper_bound(entries.begin(), entries.end(), dot,
                                  [](const Entry& a, const Entry& b) { return a.name < b.name; });
    entries.insert(after, dot);
  }
  return entries;
}

// How many entries from the first one on go into one block.
size_t CountInBlock(const std::vector<Entry>& entries, size_t first, size_t* bytes) {
  size_t count = 0;
  for (*bytes = 0; first + count < entries.size(); ++count) {
    const size_t more = entries[first + count].bytes();
    if (*bytes + more > kBlockBytes) break;
    *bytes += more;
  }
  return count;
}

uint64_t TotalBytes(const std::vector<Entry>& entries) {
  uint64_t blocks = 0;
  size_t bytes = 0;
  for (size_t first = 0; first < entries.size(); ++blocks) {
    first += CountInBlock(entries, first, &bytes);
  }
  return (blocks - 1) * kBlockBytes + bytes;
}

// The entries, then their names.
std::string EncodeBlock(const std::vector<Entry>& entries, size_t first, size_t count) {
  std::string heads, names;
  for (size_t i = first; i < first + count; ++i) {
    DirectoryEntry entry = {};
    entry.nid = entries[i].inode->nid;
    entry.name_offset = static_cast<uint16_t>(count * sizeof(DirectoryEntry) + names.size());
    entry.file_type = entries[i].inode->type;
    heads.append(reinterpret_cast<const char*>(&entry), sizeof(entry));
    names.append(entries[i].name.data(), entries[i].name.size());
  }
  return heads + names;
}

Attributes WithImplied(const PackDirectory& directory) {
  Attributes attributes = directory.attributes;
  if (directory.opaque) attributes.xattrs.push_back({kOpaqueXattr, "y"});
  return attributes;
}

}  // namespace

absl::StatusOr<ImageSink::Placed> ImageSink::PlaceDirectory(PackInode* inode) {
  static_assert(kImpliedMode == 0755, "what Attributes have by default");
  BULKHEAD_ASSIGN_OR_RETURN(Head head, MakeHead(S_IFDIR, WithImplied(*inode->directory)));
  const std::vector<Entry> entries = SortedEntries(inode);
  head.inode.size = TotalBytes(entries);
  head.inode.links = 2;
  for (const auto& [name, child] : inode->directory->children) {
    if (child->type == FileType::kDirectory) ++head.inode.links;
  }
  uint64_t place = kRootOffset;
  head.inode.format = kExtendedPlain;
  if (inode != tree_.root()) {
    const uint64_t tail = head.inode.size % kBlockBytes;
    const bool is_inline = tail > 0 && head.bytes() + tail <= kBlockBytes;
    if (is_inline) head.inode.format = kExtendedInline;
    BULKHEAD_ASSIGN_OR_RETURN(place, inodes_.Place(head.bytes() + (is_inline ? tail : 0)));
  }
  inode->nid = place / kInodeSlotBytes;
  return Placed{inode, std::move(head)};
}

absl::Status ImageSink::PlaceDirectories() {
  std::vector<PackInode*> todo = {tree_.root()};
  while (!todo.empty()) {
    PackInode* inode = todo.back();
    todo.pop_back();
    BULKHEAD_ASSIGN_OR_RETURN(Placed placed, PlaceDirectory(inode));
    directories_.push_back(std::move(placed));
    const auto& children = inode->directory->children;
    for (auto child = children.rbegin(); child != children.rend(); ++child) {
      if (child->second->type == FileType::kDirectory) todo.push_back(child->second);
    }
  }
  return absl::OkStatus();
}

absl::Status ImageSink::WriteDirectory(Placed placed) {
  const std::vector<Entry> entries = SortedEntries(placed.inode);
  const bool is_inline = placed.head.inode.format == kExtendedInline;
  BULKHEAD_RETURN_IF_ERROR(file_.FillBlock());
  placed.head.inode.start_block = static_cast<uint32_t>(file_.end() / kBlockBytes);
  std::string tail;
  size_t bytes = 0;
  for (size_t first = 0, count; first < entries.size(); first += count) {
    count = CountInBlock(entries, first, &bytes);
    std::string block = EncodeBlock(entries, first, count);
    const bool last = first + count == entries.size();
    if (last && is_inline) {
      tail = std::move(block);
      break;
    }
    BULKHEAD_RETURN_IF_ERROR(file_.Append(block));
    BULKHEAD_RETURN_IF_ERROR(file_.FillBlock());
  }
  std::string all(reinterpret_cast<const char*>(&placed.head.inode), sizeof(Inode));
  all += placed.head.xattrs;
  all += tail;
  return file_.Replace(placed.inode->nid * kInodeSlotBytes, all);
}

}  // namespace bulkhead::worker
