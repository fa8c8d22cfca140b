#include "worker/mount/layers.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/mount.h"
#include "base/status.h"

namespace bulkhead::mount {
namespace {

using base::UniqueFd;

// Devices of a container live in its own /dev; none of an image's count.
constexpr unsigned kAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;

// The image's mount is made once and cloned for each use, because only a clone may be id-mapped as
// the user wants it. Kernels before 6.15 clone no detached mount: there each use has one of its
// own.
absl::StatusOr<UniqueFd> CloneImage(int file, size_t index, const Layer& layer,
                                    std::vector<NewMount>* made) {
  if (layer.shared >= 0) {
    absl::StatusOr<UniqueFd> clone = base::CloneMount(layer.shared, "", false);
    if (clone.ok()) return clone;
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd mount, MountImage(file));
  absl::StatusOr<UniqueFd> clone = base::CloneMount(mount.get(), "", false);
  if (!clone.ok()) return mount;
  made->push_back({index, std::move(mount)});
  return clone;
}

absl::StatusOr<UniqueFd> CloneLayer(int directory, size_t index, const Layer& layer,
                                    std::vector<NewMount>* made) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd found, base::OpenAt(directory, layer.name, O_PATH,
                                                         base::Resolve::kBeneathNoSymlinks));
  struct stat st;
  if (fstat(found.get(), &st) != 0) return base::ErrnoStatus("stat layer");
  if (S_ISDIR(st.st_mode)) return base::CloneMount(found.get(), "", false);
  if (S_ISREG(st.st_mode)) return CloneImage(found.get(), index, layer, made);
  return absl::FailedPreconditionError("layer: neither a directory nor a file");
}

}  // namespace

absl::StatusOr<UniqueFd> MountImage(int image) {
  // The kernel takes the file by name only; this one leads to what was opened, whatever the name
  // there means by now.
  const std::string name = absl::StrCat("/proc/self/fd/", image);
  return base::MountDetached("erofs", {{.key = "source", .value = name}, {.key = "ro"}},
                             kAttributes);
}

absl::StatusOr<std::vector<UniqueFd>> ViewLayers(int directory, int layer_ids,
                                                 const std::vector<Layer>& layers,
                                                 std::vector<NewMount>* made) {
  std::vector<UniqueFd> views;
  for (size_t i = 0; i < layers.size(); ++i) {
    absl::StatusOr<UniqueFd> view = CloneLayer(directory, i, layers[i], made);
    if (!view.ok()) return base::Annotate(view.status(), absl::StrCat("layer ", layers[i].name));
    BULKHEAD_RETURN_IF_ERROR(
        base::SetMountAttributes(view->get(), false, kAttributes, 0, MS_PRIVATE, layer_ids));
    views.push_back(*std::move(view));
  }
  return views;
}

}  // namespace bulkhead::mount
