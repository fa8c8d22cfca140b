#include "worker/unpack/unpacker.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kMaxLinkBytes = 4095;
constexpr size_t kShownNameBytes = 200;

}  // namespace

absl::Status ArchiveStatus(archive* a) {
  const char* text = archive_error_string(a);
  return absl::DataLossError(absl::StrCat("tar: ", text ? text : "damaged"));
}

absl::Status Unpacker::TakeOver() {
  if (fchown(root_, 0, 0) != 0) return base::ErrnoStatus("unpack: take over the layer directory");
  if (fchmod(root_, 0755) != 0) return base::ErrnoStatus("unpack: chmod the layer directory");
  return absl::OkStatus();
}

absl::StatusOr<bool> Unpacker::Next() {
  archive_entry* entry = nullptr;
  int read = archive_read_next_header(archive_, &entry);
  if (read == ARCHIVE_EOF) return false;
  // ARCHIVE_WARN: a name that is not in this process's character set; its bytes are kept as they
  // are.
  if (read != ARCHIVE_OK && read != ARCHIVE_WARN) {
    return base::Annotate(ArchiveStatus(archive_), "unpack");
  }
  if (++headers_ > limits_.max_entries) {
    return absl::ResourceExhaustedError(
        absl::StrCat("unpack: more than ", limits_.max_entries, " entries"));
  }
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) return absl::InvalidArgumentError("unpack: an entry without a name");
  absl::string_view raw(name);
  absl::Status status = Handle(entry, raw);
  if (status.ok()) return true;
  return base::Annotate(
      status, absl::StrCat("unpack ", absl::CHexEscape(raw.substr(0, kShownNameBytes))));
}

absl::Status Unpacker::Handle(archive_entry* entry, absl::string_view raw_name) {
  BULKHEAD_ASSIGN_OR_RETURN(EntryName name, CleanEntryName(raw_name));
  BULKHEAD_ASSIGN_OR_RETURN(Whiteout whiteout, ParseWhiteout(name.leaf));
  if (whiteout.kind == WhiteoutKind::kNone) return HandleInode(entry, name);
  return HandleWhiteout(entry, whiteout, name);
}

absl::Status Unpacker::HandleWhiteout(archive_entry* entry, const Whiteout& whiteout,
                                      const EntryName& name) {
  if (whiteout.kind == WhiteoutKind::kReserved) return absl::OkStatus();
  if (archive_entry_hardlink(entry) == nullptr && archive_entry_filetype(entry) != AE_IFREG) {
    return absl::InvalidArgumentError("a whiteout that is no plain file");
  }
  BULKHEAD_ASSIGN_OR_RETURN(int parent, tree_.Parent(name.parent));
  if (whiteout.kind == WhiteoutKind::kName) return tree_.MakeWhiteout(parent, whiteout.hides);
  if (name.parent.empty()) {
    // overlayfs does not heed the mark on a layer's root: what must be hidden would stay visible.
    return absl::UnimplementedError("an opaque root directory");
  }
  return tree_.MakeOpaque(parent);
}

absl::Status Unpacker::HandleInode(archive_entry* entry, const EntryName& name) {
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
  for (const Xattr& xattr : attributes.xattrs) {
    BULKHEAD_RETURN_IF_ERROR(Charge(xattr.name.size() + xattr.value.size()));
  }
  if (name.leaf.empty()) return DelayAttributes(root_, "", std::move(attributes));
  BULKHEAD_ASSIGN_OR_RETURN(int parent, tree_.Parent(name.parent));
  Place at{parent, name.leaf};
  if (hard_link != nullptr) return MakeHardLink(at, hard_link);
  switch (type) {
    case AE_IFREG:
      return MakeFile(entry, at, attributes);
    case AE_IFDIR:
      return MakeDirectory(at, name, std::move(attributes));
    case AE_IFLNK:
      return MakeSymlink(entry, at, attributes);
    case AE_IFIFO:
      return MakeFifo(at, std::move(attributes));
    default:
      return absl::InvalidArgumentError("an unknown kind of entry");
  }
}

absl::Status Unpacker::Charge(uint64_t bytes) {
  if (bytes > limits_.max_bytes - counts_.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("more than ", limits_.max_bytes, " bytes"));
  }
  counts_.bytes += bytes;
  return absl::OkStatus();
}

absl::Status Unpacker::MakeFile(archive_entry* entry, const Place& at,
                                const Attributes& attributes) {
  int64_t size = archive_entry_size(entry);
  if (size < 0) return absl::InvalidArgumentError("a negative size");
  BULKHEAD_RETURN_IF_ERROR(Charge(size));
  base::UniqueFd fd;
  BULKHEAD_RETURN_IF_ERROR(tree_.Make(at.parent, at.leaf, [&] {
    fd.Reset(openat(at.parent, at.leaf.c_str(),
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    return fd.get();
  }));
  BULKHEAD_RETURN_IF_ERROR(CopyContents(fd.get(), size));
  return ApplyByFd(fd.get(), attributes);
}

absl::Status Unpacker::CopyContents(int fd, uint64_t size) {
  uint64_t end = 0;
  while (true) {
    const void* bytes = nullptr;
    size_t count = 0;
    la_int64_t offset = 0;
    int read = archive_read_data_block(archive_, &bytes, &count, &offset);
    if (read == ARCHIVE_EOF) break;
    if (read != ARCHIVE_OK && read != ARCHIVE_WARN) return ArchiveStatus(archive_);
    // Holes of a sparse file are where the offset jumps.
    if (offset < 0 || static_cast<uint64_t>(offset) > size || count > size - offset) {
      return absl::DataLossError("tar: contents beyond the file's size");
    }
    if (count == 0) continue;
    if (static_cast<uint64_t>(offset) != end && lseek(fd, offset, SEEK_SET) < 0) {
      return base::ErrnoStatus("seek");
    }
    BULKHEAD_RETURN_IF_ERROR(
        base::WriteAll(fd, absl::string_view(static_cast<const char*>(bytes), count)));
    end = offset + count;
  }
  if (end != size && ftruncate(fd, size) != 0) return base::ErrnoStatus("truncate");
  return absl::OkStatus();
}

absl::Status Unpacker::MakeSymlink(archive_entry* entry, const Place& at,
                                   const Attributes& attributes) {
  const char* target = archive_entry_symlink(entry);
  if (target == nullptr || *target == '\0') return absl::InvalidArgumentError("an empty link");
  absl::string_view text(target);
  if (text.size() > kMaxLinkBytes) return absl::InvalidArgumentError("a link over 4095 bytes");
  BULKHEAD_RETURN_IF_ERROR(Charge(text.size()));
  BULKHEAD_RETURN_IF_ERROR(tree_.Make(
      at.parent, at.leaf, [&] { return symlinkat(target, at.parent, at.leaf.c_str()); }));
  return ApplyToSymlink(at.parent, at.leaf, attributes);
}

absl::Status Unpacker::MakeFifo(const Place& at, Attributes attributes) {
  BULKHEAD_RETURN_IF_ERROR(tree_.Make(
      at.parent, at.leaf, [&] { return mkfifoat(at.parent, at.leaf.c_str(), 0600); }));
  base::UniqueFd fd(
      openat(at.parent, at.leaf.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::ErrnoStatus("open fifo");
  attributes.xattrs.clear();  // the kernel allows none of the kept ones on a fifo
  return ApplyByFd(fd.get(), attributes);
}

absl::Status Unpacker::MakeHardLink(const Place& at, absl::string_view target) {
  BULKHEAD_ASSIGN_OR_RETURN(EntryName to, CleanEntryName(target));
  absl::StatusOr<base::UniqueFd> parent = tree_.Find(to.parent);
  struct stat st;
  if (to.leaf.empty() || !parent.ok() ||
      fstatat(parent->get(), to.leaf.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return absl::InvalidArgumentError("a hard link to what is not in this layer");
  }
  if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode)) {
    return absl::InvalidArgumentError("a hard link to a directory or a device");
  }
  struct stat there;
  if (fstatat(at.parent, at.leaf.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      there.st_ino == st.st_ino) {
    return absl::OkStatus();  // a link to itself: replacing it would lose the file
  }
  return tree_.Make(at.parent, at.leaf, [&] {
    return linkat(parent->get(), to.leaf.c_str(), at.parent, at.leaf.c_str(), 0);
  });
}

absl::Status Unpacker::MakeDirectory(const Place& at, const EntryName& name,
                                     Attributes attributes) {
  BULKHEAD_RETURN_IF_ERROR(tree_.MakeDirectory(at.parent, at.leaf));
  base::UniqueFd fd(openat(at.parent, at.leaf.c_str(),
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::ErrnoStatus("open directory");
  std::string path = name.parent.empty() ? name.leaf : absl::StrCat(name.parent, "/", name.leaf);
  return DelayAttributes(fd.get(), std::move(path), std::move(attributes));
}

absl::Status Unpacker::DelayAttributes(int directory, std::string path, Attributes attributes) {
  struct stat st;
  if (fstat(directory, &st) != 0) return base::ErrnoStatus("stat");
  directories_.push_back({std::move(path), st.st_ino, std::move(attributes)});
  return absl::OkStatus();
}

absl::Status Unpacker::FinishDirectories() {
  for (const PendingDirectory& pending : directories_) {
    absl::StatusOr<base::UniqueFd> fd = tree_.Find(pending.path);
    struct stat st;
    // A later entry may have put something else in its place.
    if (!fd.ok() || fstat(fd->get(), &st) != 0 || st.st_ino != pending.inode) continue;
    if (absl::Status status = ApplyByFd(fd->get(), pending.attributes); !status.ok()) {
      return base::Annotate(
          status, absl::StrCat("unpack ",
                               absl::CHexEscape(pending.path.substr(0, kShownNameBytes)), "/"));
    }
  }
  return absl::OkStatus();
}

Unpacked Unpacker::result() const {
  Unpacked out = counts_;
  out.entries = tree_.made();
  return out;
}

}  // namespace bulkhead::worker
