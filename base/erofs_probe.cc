#include "base/erofs_probe.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/erofs_format.h"
#include "base/fs.h"
#include "base/mount.h"
#include "base/status.h"

namespace bulkhead::base {
namespace {

using namespace erofs;

// The smallest image: a superblock, and the root with its two entries beside its inode.
std::string EmptyImage() {
  constexpr size_t kRoot = kSuperBlockOffset + sizeof(SuperBlock);
  std::string image(kBlockBytes, '\0');
  SuperBlock super = {};
  super.magic = kMagic;
  super.block_bits = kBlockBits;
  super.root_nid = kRoot / kInodeSlotBytes;
  super.inodes = 1;
  super.blocks = 1;
  DirectoryEntry entries[2] = {};
  for (DirectoryEntry& entry : entries) {
    entry.nid = super.root_nid;
    entry.file_type = kDirectory;
  }
  entries[0].name_offset = sizeof(entries);
  entries[1].name_offset = sizeof(entries) + 1;
  Inode root = {};
  root.format = kExtendedInline;
  root.mode = S_IFDIR | 0755;
  root.size = sizeof(entries) + 3;
  root.links = 2;
  memcpy(image.data() + kSuperBlockOffset, &super, sizeof(super));
  memcpy(image.data() + kRoot, &root, sizeof(root));
  memcpy(image.data() + kRoot + sizeof(root), entries, sizeof(entries));
  memcpy(image.data() + kRoot + sizeof(root) + sizeof(entries), "...", 3);
  return image;
}

absl::Status Cannot(absl::string_view what, const absl::Status& why) {
  return absl::UnimplementedError(absl::StrCat("cannot ", what, ": ", why.message()));
}

}  // namespace

absl::Status ProbeErofs(const char* directory) {
  UniqueFd file(open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (!file) return Cannot("make a file", ErrnoStatus(directory));
  if (absl::Status written = WriteAll(file.get(), EmptyImage()); !written.ok()) return written;
  const std::string source = absl::StrCat("/proc/self/fd/", file.get());
  absl::StatusOr<UniqueFd> mount = MountDetached(
      "erofs", {{.key = "source", .value = source}, {.key = "ro"}}, MOUNT_ATTR_RDONLY);
  if (!mount.ok()) return Cannot("mount an image from a file", mount.status());
  absl::StatusOr<UniqueFd> clone = CloneMount(mount->get(), "", false);
  absl::StatusOr<UniqueFd> other = CloneMount(AT_FDCWD, directory, false);
  if (!clone.ok()) return Cannot("clone the image's mount", clone.status());
  if (!other.ok()) return Cannot("clone a mount", other.status());
  absl::StatusOr<UniqueFd> overlay = MountDetached("overlay",
                                                   {{.key = "userxattr"},
                                                    {.key = "lowerdir+", .fd = clone->get()},
                                                    {.key = "lowerdir+", .fd = other->get()}},
                                                   MOUNT_ATTR_RDONLY);
  if (!overlay.ok()) return Cannot("use the image in an overlay", overlay.status());
  return absl::OkStatus();
}

}  // namespace bulkhead::base
