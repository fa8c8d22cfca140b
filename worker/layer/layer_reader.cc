#include "worker/layer/layer_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/layer/tar_stream.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kMaxLinkBytes = 4095;
constexpr size_t kShownNameBytes = 200;

class LayerReader {
 public:
  LayerReader(TarStream& tar, const LayerLimits& limits, LayerSink& sink)
      : tar_(tar), limits_(limits), sink_(sink) {}

  // False at the end.
  absl::StatusOr<bool> Next();
  LayerCounts& counts() { return counts_; }

 private:
  absl::Status Handle(archive_entry* entry, absl::string_view raw_name);
  absl::Status HandleWhiteout(archive_entry* entry, const Whiteout& whiteout,
                              const EntryName& name);
  absl::Status HandleInode(archive_entry* entry, const EntryName& name);
  absl::Status HandleFile(archive_entry* entry, const EntryName& name,
                          const Attributes& attributes);
  absl::Status HandleSymlink(archive_entry* entry, const EntryName& name,
                             const Attributes& attributes);
  absl::Status HandleHardLink(const EntryName& name, absl::string_view target);
  absl::Status CopyContents(uint64_t size, TakePiece take);
  absl::Status ChargeXattrs(const Attributes& attributes);
  absl::Status Charge(uint64_t bytes);
  absl::StatusOr<EntryName> Clean(absl::string_view raw) const;

  TarStream& tar_;
  const LayerLimits& limits_;
  LayerSink& sink_;
  LayerCounts counts_;
};

absl::StatusOr<bool> LayerReader::Next() {
  archive_entry* entry = nullptr;
  int read = archive_read_next_header(tar_.get(), &entry);
  if (read == ARCHIVE_EOF) return false;
  // ARCHIVE_WARN: a name that is not in this process's character set; its bytes are kept as they
  // are.
  if (read != ARCHIVE_OK && read != ARCHIVE_WARN) return base::Annotate(tar_.Error(), "unpack");
  if (++counts_.headers > limits_.max_entries) {
    return absl::ResourceExhaustedError(
        absl::StrCat("unpack: more than ", limits_.max_entries, " entries"));
  }
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) return absl::InvalidArgumentError("unpack: an entry without a name");
  absl::string_view raw(name);
  absl::Status status = Handle(entry, raw);
  if (status.ok()) return true;
  return base::Annotate(status,
                        absl::StrCat("unpack ", absl::CHexEscape(raw.substr(0, kShownNameBytes))));
}

absl::StatusOr<EntryName> LayerReader::Clean(absl::string_view raw) const {
  BULKHEAD_ASSIGN_OR_RETURN(EntryName name, CleanEntryName(raw));
  const auto above =
      std::count(name.parent.begin(), name.parent.end(), '/') + (name.parent.empty() ? 0 : 1);
  if (static_cast<uint64_t>(above) > limits_.max_depth) {
    return absl::ResourceExhaustedError(
        absl::StrCat("name is over ", limits_.max_depth, " directories deep"));
  }
  return name;
}

absl::Status LayerReader::Handle(archive_entry* entry, absl::string_view raw_name) {
  BULKHEAD_ASSIGN_OR_RETURN(EntryName name, Clean(raw_name));
  BULKHEAD_ASSIGN_OR_RETURN(Whiteout whiteout, ParseWhiteout(name.leaf));
  if (whiteout.kind == WhiteoutKind::kNone) return HandleInode(entry, name);
  return HandleWhiteout(entry, whiteout, name);
}

absl::Status LayerReader::HandleWhiteout(archive_entry* entry, const Whiteout& whiteout,
                                         const EntryName& name) {
  if (whiteout.kind == WhiteoutKind::kReserved) return absl::OkStatus();
  if (archive_entry_hardlink(entry) == nullptr && archive_entry_filetype(entry) != AE_IFREG) {
    return absl::InvalidArgumentError("a whiteout that is no plain file");
  }
  if (whiteout.kind == WhiteoutKind::kName) return sink_.Whiteout(name.parent, whiteout.hides);
  if (name.parent.empty()) {
    // overlayfs does not heed the mark on a layer's root: what must be hidden would stay visible.
    return absl::UnimplementedError("an opaque root directory");
  }
  return sink_.Opaque(name.parent);
}

absl::Status LayerReader::HandleInode(archive_entry* entry, const EntryName& name) {
  const char* hard_link = archive_entry_hardlink(entry);
  mode_t type = archive_entry_filetype(entry);
  if (name.leaf.empty() && (hard_link != nullptr || type != AE_IFDIR)) {
    return absl::InvalidArgumentError("the root is no directory");
  }
  if (hard_link == nullptr && (type == AE_IFCHR || type == AE_IFBLK || type == AE_IFSOCK)) {
    ++counts_.skipped_devices;
    return absl::OkStatus();
  }
  BULKHEAD_ASSIGN_OR_RETURN(Attributes attributes, ReadAttributes(entry));
  counts_.dropped_xattrs += attributes.dropped_xattrs;
  BULKHEAD_RETURN_IF_ERROR(ChargeXattrs(attributes));
  if (name.leaf.empty()) return sink_.Root(std::move(attributes));
  if (hard_link != nullptr) return HandleHardLink(name, hard_link);
  switch (type) {
    case AE_IFREG:
      return HandleFile(entry, name, attributes);
    case AE_IFDIR:
      return sink_.Directory(name, std::move(attributes));
    case AE_IFLNK:
      return HandleSymlink(entry, name, attributes);
    case AE_IFIFO:
      return sink_.Fifo(name, attributes);
    default:
      return absl::InvalidArgumentError("an unknown kind of entry");
  }
}

absl::Status LayerReader::ChargeXattrs(const Attributes& attributes) {
  uint64_t bytes = 0;
  for (const Xattr& xattr : attributes.xattrs) bytes += xattr.name.size() + xattr.value.size();
  if (bytes > limits_.max_xattr_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", limits_.max_xattr_bytes, " bytes of extended attributes"));
  }
  return Charge(bytes);
}

absl::Status LayerReader::Charge(uint64_t bytes) {
  if (bytes > limits_.max_bytes - counts_.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("more than ", limits_.max_bytes, " bytes"));
  }
  counts_.bytes += bytes;
  return absl::OkStatus();
}

absl::Status LayerReader::HandleFile(archive_entry* entry, const EntryName& name,
                                     const Attributes& attributes) {
  int64_t size = archive_entry_size(entry);
  if (size < 0) return absl::InvalidArgumentError("a negative size");
  BULKHEAD_RETURN_IF_ERROR(Charge(size));
  return sink_.File(name, attributes, size,
                    [&](TakePiece take) { return CopyContents(size, take); });
}

absl::Status LayerReader::CopyContents(uint64_t size, TakePiece take) {
  uint64_t end = 0;
  while (true) {
    const void* bytes = nullptr;
    size_t count = 0;
    la_int64_t offset = 0;
    int read = archive_read_data_block(tar_.get(), &bytes, &count, &offset);
    if (read == ARCHIVE_EOF) return absl::OkStatus();
    if (read != ARCHIVE_OK && read != ARCHIVE_WARN) return tar_.Error();
    // Holes of a sparse file are where the offset jumps.
    if (offset < 0 || static_cast<uint64_t>(offset) > size || count > size - offset) {
      return absl::DataLossError("tar: contents beyond the file's size");
    }
    if (count == 0) continue;
    if (static_cast<uint64_t>(offset) < end) {
      return absl::DataLossError("tar: pieces of a sparse file overlap");
    }
    BULKHEAD_RETURN_IF_ERROR(
        take(offset, absl::string_view(static_cast<const char*>(bytes), count)));
    end = offset + count;
  }
}

absl::Status LayerReader::HandleSymlink(archive_entry* entry, const EntryName& name,
                                        const Attributes& attributes) {
  const char* target = archive_entry_symlink(entry);
  if (target == nullptr || *target == '\0') return absl::InvalidArgumentError("an empty link");
  std::string text(target);
  if (text.size() > kMaxLinkBytes) return absl::InvalidArgumentError("a link over 4095 bytes");
  BULKHEAD_RETURN_IF_ERROR(Charge(text.size()));
  return sink_.Symlink(name, attributes, text);
}

absl::Status LayerReader::HandleHardLink(const EntryName& name, absl::string_view target) {
  BULKHEAD_ASSIGN_OR_RETURN(EntryName to, Clean(target));
  if (to.leaf.empty())
    return absl::InvalidArgumentError("a hard link to what is not in this layer");
  return sink_.HardLink(name, to);
}

}  // namespace

absl::StatusOr<LayerCounts> ReadLayer(int stream, const LayerLimits& limits, LayerSink& sink) {
  TarStream tar(stream, limits.max_tar_bytes);
  BULKHEAD_RETURN_IF_ERROR(tar.Open());
  LayerReader reader(tar, limits, sink);
  while (true) {
    BULKHEAD_ASSIGN_OR_RETURN(bool more, reader.Next());
    if (!more) break;
  }
  BULKHEAD_RETURN_IF_ERROR(tar.Drain());
  reader.counts().diff_id = tar.Digest();
  reader.counts().entries = sink.made();
  return std::move(reader.counts());
}

}  // namespace bulkhead::worker
