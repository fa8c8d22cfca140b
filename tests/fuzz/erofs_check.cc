#include "tests/fuzz/erofs_check.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "base/erofs_format.h"

namespace bulkhead::fuzz {
namespace {

using namespace base::erofs;

void Must(bool ok, const char* what) {
  if (ok) return;
  fprintf(stderr, "the image is not as it must be: %s\n", what);
  abort();
}

class Checker {
 public:
  explicit Checker(const std::string& image) : image_(image) {}

  ImageFacts Run() {
    Must(image_.size() % kBlockBytes == 0 && !image_.empty(), "whole blocks");
    super_ = At<SuperBlock>(kSuperBlockOffset);
    Must(super_.magic == kMagic && super_.block_bits == kBlockBits, "superblock");
    Must(super_.blocks * kBlockBytes == image_.size(), "length");
    Must(super_.meta_block == 0 && super_.feature_incompat == 0, "features");
    todo_.push_back({super_.root_nid, super_.root_nid});
    while (!todo_.empty()) {
      auto [nid, parent] = todo_.back();
      todo_.pop_back();
      Directory(nid, parent);
    }
    for (const auto& [nid, names] : names_) Must(Load(nid).links == names, "link count");
    return facts_;
  }

 private:
  template <typename T>
  T At(uint64_t offset) const {
    Must(offset <= image_.size() && sizeof(T) <= image_.size() - offset, "offset");
    T value;
    memcpy(&value, image_.data() + offset, sizeof(value));
    return value;
  }

  Inode Load(uint64_t nid) const {
    const Inode inode = At<Inode>(nid * kInodeSlotBytes);
    Must(inode.format == kExtendedPlain || inode.format == kExtendedInline, "format");
    return inode;
  }

  static uint64_t XattrBytes(const Inode& inode) {
    return inode.xattr_count == 0 ? 0 : sizeof(XattrHeader) + 4 * (inode.xattr_count - 1);
  }

  void Xattrs(uint64_t nid, const Inode& inode) {
    if (inode.xattr_count == 0) return;
    uint64_t at = nid * kInodeSlotBytes + sizeof(Inode);
    const uint64_t end = at + XattrBytes(inode);
    const auto header = At<XattrHeader>(at);
    at += sizeof(header);
    for (int i = 0; i < header.shared_count; ++i, at += 4) {
      Must(super_.xattr_block != 0, "shared xattrs without a place");
      Must(OneXattr(super_.xattr_block * kBlockBytes + 4 * uint64_t{At<uint32_t>(at)}) > 0,
           "shared");
    }
    while (at < end) at += OneXattr(at);
    Must(at == end, "xattrs end where their count says");
  }

  uint64_t OneXattr(uint64_t at) {
    const auto entry = At<XattrEntry>(at);
    Must(entry.name_index == kXattrUser || entry.name_index == kXattrSecurity, "xattr prefix");
    Must(entry.name_bytes > 0, "xattr name");
    const uint64_t bytes = (sizeof(entry) + entry.name_bytes + entry.value_bytes + 3) / 4 * 4;
    Must(at + bytes <= image_.size(), "xattr length");
    return bytes;
  }

  std::string Data(uint64_t nid, const Inode& inode) {
    const uint64_t whole = inode.size / kBlockBytes * kBlockBytes, tail = inode.size - whole;
    const bool is_inline = inode.format == kExtendedInline;
    const uint64_t start = inode.start_block * kBlockBytes;
    const uint64_t in_blocks = is_inline ? whole : inode.size;
    Must(in_blocks == 0 || (start <= image_.size() && in_blocks <= image_.size() - start), "data");
    std::string data = in_blocks == 0 ? "" : image_.substr(start, in_blocks);
    if (!is_inline) return data;
    const uint64_t at = nid * kInodeSlotBytes + sizeof(Inode) + XattrBytes(inode);
    Must(tail > 0 && at % kBlockBytes + tail <= kBlockBytes, "inline data in one block");
    Must(at + tail <= image_.size(), "inline data in the image");
    return data + image_.substr(at, tail);
  }

  void Directory(uint64_t nid, uint64_t parent) {
    const Inode inode = Load(nid);
    Must(S_ISDIR(inode.mode), "a directory");
    Must(++facts_.directories < 1000000, "no loop");
    Xattrs(nid, inode);
    const std::string data = Data(nid, inode);
    std::string last;
    uint32_t links = 2;
    int dots = 0;
    for (size_t block = 0; block < data.size(); block += kBlockBytes) {
      Block(data.substr(block, kBlockBytes), nid, parent, &last, &links, &dots);
    }
    Must(dots == 2, ". and ..");
    Must(inode.links == links, "link count of a directory");
  }

  void Block(const std::string& block, uint64_t nid, uint64_t parent, std::string* last,
             uint32_t* links, int* dots) {
    DirectoryEntry first;
    Must(block.size() >= sizeof(first), "directory block");
    memcpy(&first, block.data(), sizeof(first));
    const size_t count = first.name_offset / sizeof(first);
    Must(count > 0 && first.name_offset % sizeof(first) == 0, "first name");
    for (size_t i = 0; i < count; ++i) {
      DirectoryEntry entry, next;
      memcpy(&entry, block.data() + i * sizeof(entry), sizeof(entry));
      size_t end = block.size();
      if (i + 1 < count) {
        memcpy(&next, block.data() + (i + 1) * sizeof(entry), sizeof(entry));
        end = next.name_offset;
      }
      Must(entry.name_offset < end && end <= block.size(), "name offsets");
      std::string name = block.substr(entry.name_offset, end - entry.name_offset);
      name.resize(strnlen(name.data(), name.size()));
      Must(!name.empty() && name.size() <= 255 && name.find('/') == std::string::npos, "name");
      Must(last->empty() || *last < name, "order of names");
      *last = name;
      Entry(entry, name, nid, parent, links, dots);
    }
  }

  void Entry(const DirectoryEntry& entry, const std::string& name, uint64_t nid, uint64_t parent,
             uint32_t* links, int* dots) {
    const Inode inode = Load(entry.nid);
    if (name == "." || name == "..") {
      Must(entry.nid == (name == "." ? nid : parent) && entry.file_type == kDirectory,
           name.c_str());
      ++*dots;
      return;
    }
    ++facts_.names;
    const std::map<uint8_t, mode_t> modes = {{kRegular, S_IFREG},
                                             {kDirectory, S_IFDIR},
                                             {kCharacter, S_IFCHR},
                                             {kFifo, S_IFIFO},
                                             {kSymlink, S_IFLNK}};
    auto mode = modes.find(entry.file_type);
    Must(mode != modes.end() && (inode.mode & S_IFMT) == mode->second, "type of an entry");
    if (entry.file_type == kDirectory) {
      ++*links;
      todo_.push_back({entry.nid, nid});
      return;
    }
    ++names_[entry.nid];
    Xattrs(entry.nid, inode);
    if (entry.file_type == kCharacter) Must(inode.start_block == 0, "a device that is no whiteout");
    if (entry.file_type == kRegular) facts_.file_bytes += Data(entry.nid, inode).size();
    if (entry.file_type == kSymlink) {
      Must(!Data(entry.nid, inode).empty(), "an empty link");
    }
  }

  const std::string& image_;
  SuperBlock super_ = {};
  ImageFacts facts_;
  std::vector<std::pair<uint64_t, uint64_t>> todo_;
  std::map<uint64_t, uint32_t> names_;
};

}  // namespace

ImageFacts CheckImage(const std::string& image) { return Checker(image).Run(); }

}  // namespace bulkhead::fuzz
