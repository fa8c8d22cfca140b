#include "worker/unpack/directory_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kShownNameBytes = 200;

}  // namespace

absl::Status DirectorySink::TakeOver() {
  if (fchown(root_, 0, 0) != 0) return base::ErrnoStatus("unpack: take over the layer directory");
  if (fchmod(root_, 0755) != 0) return base::ErrnoStatus("unpack: chmod the layer directory");
  return absl::OkStatus();
}

absl::Status DirectorySink::Root(Attributes attributes) {
  return ApplyToDirectory(root_, "", attributes);
}

absl::Status DirectorySink::File(const EntryName& name, const Attributes& attributes, uint64_t size,
                                 Contents contents) {
  BULKHEAD_ASSIGN_OR_RETURN(int parent, tree_.Parent(name.parent));
  base::UniqueFd fd;
  BULKHEAD_RETURN_IF_ERROR(tree_.Make(parent, name.leaf, [&] {
    fd.Reset(openat(parent, name.leaf.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600));
    return fd.get();
  }));
  uint64_t end = 0;
  BULKHEAD_RETURN_IF_ERROR(contents([&](uint64_t offset, absl::string_view bytes) {
    if (offset != end && lseek(fd.get(), offset, SEEK_SET) < 0) return base::ErrnoStatus("seek");
    end = offset + bytes.size();
    return base::WriteAll(fd.get(), bytes);
  }));
  if (end != size && ftruncate(fd.get(), size) != 0) return base::ErrnoStatus("truncate");
  return ApplyByFd(fd.get(), attributes);
}

absl::Status DirectorySink::Symlink(const EntryName& name, const Attributes& attributes,
                                    const std::string& target) {
  BULKHEAD_ASSIGN_OR_RETURN(int parent, tree_.Parent(name.parent));
  BULKHEAD_RETURN_IF_ERROR(tree_.Make(
      parent, name.leaf, [&] { return symlinkat(target.c_str(), parent, name.leaf.c_str()); }));
  return ApplyToSymlink(parent, name.leaf, attributes);
}

absl::Status DirectorySink::Fifo(const EntryName& name, const Attributes& attributes) {
  BULKHEAD_ASSIGN_OR_RETURN(int parent, tree_.Parent(name.parent));
  BULKHEAD_RETURN_IF_ERROR(
      tree_.Make(parent, name.leaf, [&] { return mkfifoat(parent, name.leaf.c_str(), 0600); }));
  base::UniqueFd fd(
      openat(parent, name.leaf.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::ErrnoStatus("open fifo");
  Attributes kept = attributes;
  kept.xattrs.clear();  // the kernel allows none of the kept ones on a fifo
  return ApplyByFd(fd.get(), kept);
}

absl::Status DirectorySink::HardLink(const EntryName& name, const EntryName& target) {
  absl::StatusOr<base::UniqueFd> from = tree_.Find(target.parent);
  struct stat st;
  if (!from.ok() || fstatat(from->get(), target.leaf.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return absl::InvalidArgumentError("a hard link to what is not in this layer");
  }
  if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode)) {
    return absl::InvalidArgumentError("a hard link to a directory or a device");
  }
  BULKHEAD_ASSIGN_OR_RETURN(int parent, tree_.Parent(name.parent));
  struct stat there;
  if (fstatat(parent, name.leaf.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      there.st_ino == st.st_ino) {
    return absl::OkStatus();  // a link to itself: replacing it would lose the file
  }
  return tree_.Make(parent, name.leaf, [&] {
    return linkat(from->get(), target.leaf.c_str(), parent, name.leaf.c_str(), 0);
  });
}

absl::Status DirectorySink::Directory(const EntryName& name, Attributes attributes) {
  BULKHEAD_ASSIGN_OR_RETURN(int parent, tree_.Parent(name.parent));
  BULKHEAD_RETURN_IF_ERROR(tree_.MakeDirectory(parent, name.leaf));
  base::UniqueFd fd(
      openat(parent, name.leaf.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::ErrnoStatus("open directory");
  std::string path = name.parent.empty() ? name.leaf : absl::StrCat(name.parent, "/", name.leaf);
  return ApplyToDirectory(fd.get(), std::move(path), attributes);
}

absl::Status DirectorySink::Whiteout(const std::string& parent, const std::string& hides) {
  BULKHEAD_ASSIGN_OR_RETURN(int directory, tree_.Parent(parent));
  return tree_.MakeWhiteout(directory, hides);
}

absl::Status DirectorySink::Opaque(const std::string& path) {
  BULKHEAD_ASSIGN_OR_RETURN(int directory, tree_.Parent(path));
  return tree_.MakeOpaque(directory);
}

// At once, as later entries may move the path elsewhere (a link on the way, replaced).
absl::Status DirectorySink::ApplyToDirectory(int directory, std::string path,
                                             const Attributes& attributes) {
  BULKHEAD_RETURN_IF_ERROR(ApplyByFd(directory, attributes));
  struct stat st;
  if (fstat(directory, &st) != 0) return base::ErrnoStatus("stat");
  directories_.push_back(
      {std::move(path), st.st_ino, {attributes.times[0], attributes.times[1]}});
  return absl::OkStatus();
}

absl::Status DirectorySink::FinishDirectories() {
  for (const PendingDirectory& pending : directories_) {
    absl::StatusOr<base::UniqueFd> fd = tree_.Find(pending.path);
    struct stat st;
    // A later entry may have put something else in its place.
    if (!fd.ok() || fstat(fd->get(), &st) != 0 || st.st_ino != pending.inode) continue;
    if (futimens(fd->get(), pending.times.data()) != 0) {
      return base::ErrnoStatus(absl::StrCat(
          "unpack ", absl::CHexEscape(pending.path.substr(0, kShownNameBytes)), "/: set times"));
    }
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
