#include "worker/mount/overlay.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/fs.h"
#include "base/mount.h"
#include "base/status.h"

namespace bulkhead::mount {
namespace {

using base::UniqueFd;

constexpr size_t kMaxLayers = 500;  // overlayfs's own limit
constexpr char kUpper[] = "upper";
constexpr char kWork[] = "work";

// Overlay's marks are user.overlay.* attributes: the unpacker has no right to write trusted.*.
const base::FsOption kUserXattr = {.key = "userxattr"};

unsigned Attributes(const OverlayRequest& request) {
  // Devices of a container live in its own /dev; none of an image's count.
  return MOUNT_ATTR_NODEV | (request.container < 0 ? MOUNT_ATTR_RDONLY : 0);
}

absl::StatusOr<UniqueFd> ByDescriptors(const OverlayRequest& request,
                                       const std::vector<UniqueFd>& layers) {
  std::vector<base::FsOption> options = {kUserXattr};
  for (const UniqueFd& layer : layers) options.push_back({.key = "lowerdir+", .fd = layer.get()});
  UniqueFd upper, work;
  if (request.container >= 0) {
    constexpr int kFlags = O_PATH | O_DIRECTORY;
    BULKHEAD_ASSIGN_OR_RETURN(
        upper, base::OpenAt(request.container, kUpper, kFlags, base::Resolve::kBeneathNoSymlinks));
    BULKHEAD_ASSIGN_OR_RETURN(
        work, base::OpenAt(request.container, kWork, kFlags, base::Resolve::kBeneathNoSymlinks));
    options.push_back({.key = "upperdir", .fd = upper.get()});
    options.push_back({.key = "workdir", .fd = work.get()});
  }
  return base::MountDetached("overlay", options, Attributes(request));
}

absl::Status AttachAs(int root, const std::string& name, const UniqueFd& mount) {
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(root, name, 0700));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd target, base::OpenAt(root, name, O_PATH | O_DIRECTORY,
                                                          base::Resolve::kBeneathNoSymlinks));
  return base::AttachMount(mount.get(), target.get());
}

// A mount namespace with an empty tmpfs over everything. Returns the tmpfs, which is also the
// working directory.
absl::StatusOr<UniqueFd> EnterWorkshop() {
  if (unshare(CLONE_NEWNS) != 0) return base::ErrnoStatus("unshare the mount namespace");
  UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::ErrnoStatus("open /");
  BULKHEAD_RETURN_IF_ERROR(base::SetMountAttributes(root.get(), true, 0, 0, MS_PRIVATE, -1));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd tmpfs,
                            base::MountDetached("tmpfs", {{.key = "mode", .value = "0700"}}, 0));
  BULKHEAD_RETURN_IF_ERROR(base::AttachMount(tmpfs.get(), root.get()));
  if (fchdir(tmpfs.get()) != 0) return base::ErrnoStatus("enter the tmpfs");
  return tmpfs;
}

// By short names in one option string, which mount(2) takes up to a page of; fsconfig(2) cuts at
// 255 bytes.
absl::StatusOr<UniqueFd> ByNamespace(const OverlayRequest& request,
                                     const std::vector<UniqueFd>& layers) {
  UniqueFd container;
  if (request.container >= 0) {
    BULKHEAD_ASSIGN_OR_RETURN(container, base::CloneMount(request.container, "", false));
  }
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd root, EnterWorkshop());
  std::vector<std::string> names;
  for (const UniqueFd& layer : layers) {
    names.push_back(absl::StrCat(names.size()));
    BULKHEAD_RETURN_IF_ERROR(AttachAs(root.get(), names.back(), layer));
  }
  std::string options = absl::StrCat("userxattr,lowerdir=", absl::StrJoin(names, ":"));
  if (container) {
    BULKHEAD_RETURN_IF_ERROR(AttachAs(root.get(), "c", container));
    absl::StrAppend(&options, ",upperdir=c/", kUpper, ",workdir=c/", kWork);
  }
  BULKHEAD_RETURN_IF_ERROR(base::MakeDirectory(root.get(), "m", 0700));
  const unsigned long flags = MS_NODEV | (request.container < 0 ? MS_RDONLY : 0);
  if (::mount("overlay", "m", "overlay", flags, options.c_str()) != 0) {
    return base::ErrnoStatus("mount overlay");
  }
  return base::CloneMount(root.get(), "m", false);
}

}  // namespace

absl::StatusOr<std::vector<UniqueFd>> OpenLayers(const OverlayRequest& request,
                                                 std::vector<NewMount>* made) {
  if (request.stack.empty()) return absl::InvalidArgumentError("layers: none");
  if (request.stack.size() > kMaxLayers) {
    return absl::ResourceExhaustedError(absl::StrCat("layers: more than ", kMaxLayers));
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<UniqueFd> layers,
                            ViewLayers(request.layers, request.layer_ids, request.stack, made));
  std::reverse(layers.begin(), layers.end());  // uppermost first, as overlayfs counts them
  return layers;
}

absl::StatusOr<UniqueFd> MountOverlay(const OverlayRequest& request, std::vector<UniqueFd> layers,
                                      OverlayMethod method) {
  // Overlayfs wants two layers at least; one alone needs no overlay.
  if (request.container < 0 && layers.size() == 1) return std::move(layers[0]);
  if (method != OverlayMethod::kNamespace) {
    absl::StatusOr<UniqueFd> mount = ByDescriptors(request, layers);
    if (mount.ok() || method == OverlayMethod::kDescriptors) return mount;
  }
  return ByNamespace(request, layers);
}

absl::StatusOr<UniqueFd> CloneBelow(UniqueFd tree, const std::string& path, OverlayMethod method) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd found,
                            base::OpenAt(tree.get(), path, O_PATH, base::Resolve::kInRoot));
  if (method != OverlayMethod::kNamespace) {
    absl::StatusOr<UniqueFd> clone = base::CloneMount(found.get(), "", false);
    if (clone.ok() || method == OverlayMethod::kDescriptors) return clone;
  }
  // Before Linux 6.15 only what is attached in the caller's mount namespace can be cloned.
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd root, EnterWorkshop());
  BULKHEAD_RETURN_IF_ERROR(AttachAs(root.get(), "s", tree));
  return base::CloneMount(found.get(), "", false);
}

}  // namespace bulkhead::mount
