#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>

#include "security/profile.h"
#include "security/profiles/syscall_sets.h"

namespace bulkhead::security {
namespace {

// overlayfs does all work on the layers with what its mounter holds at the mount, for as long as it
// stays mounted: without one of these, chown or chmod or a file capability would fail inside every
// container.
constexpr Cap kCaps[] = {
    {CAP_SYS_ADMIN, "mount overlay, clone and id-map mounts"},
    {CAP_CHOWN, "overlay: chown in containers, copy-up keeps owners"},
    {CAP_DAC_OVERRIDE, "overlay: write to any owner's directory; make directories for volumes"},
    {CAP_DAC_READ_SEARCH,
     "overlay: copy up what its owner cannot read; find volumes below closed directories"},
    {CAP_FOWNER, "overlay: chmod and times of any owner's file"},
    {CAP_FSETID, "overlay: keep set-group-ID bits"},
    {CAP_SETFCAP, "overlay: copy up file capabilities"},
    {CAP_MKNOD, "overlay: whiteouts and mknod in containers"},
};
constexpr FdRow kFds[] = {
    {3, "control socket to the broker"},
    {4, "<root_dir>/layers", true, Dir::kLayers},
    {5, "<root_dir>/containers", true, Dir::kContainers},
    {6, "user namespace that takes the layers' id shift back", true, Dir::kLayerIds},
    {7, "<run_dir>: user namespaces of pods are pinned there; the policy of pods", true, Dir::kRun},
};
constexpr const SyscallSet* kSets[] = {&kRuntimeSet, &kSocketSet, &kFileSet, &kTreeSet};
constexpr ArgRule kNewMounts[] = {{0, kLow32, CLONE_NEWNS}};
constexpr Syscall kSyscalls[] = {
    {SCMP_SYS(fsopen), "overlay"},
    {SCMP_SYS(fsconfig), "overlay"},
    {SCMP_SYS(fsmount), "overlay, detached"},
    {SCMP_SYS(open_tree), "clone layers and volumes, detached"},
    {SCMP_SYS(mount_setattr), "id-map layers; read-only and propagation of volumes"},
    {SCMP_SYS(move_mount), "older kernels: layers at short names, in a mount namespace of its own"},
    {SCMP_SYS(mount), "older kernels: overlay by names, in a mount namespace of its own"},
    {SCMP_SYS(umount2), "older kernels: take those names away"},
    {SCMP_SYS(unshare), "older kernels: a mount namespace of its own", kNewMounts},
    {SCMP_SYS(fchdir), "older kernels: short names for layers"},
    {SCMP_SYS(chdir), "older kernels: short names for layers"},
    {SCMP_SYS(mkdirat), "upper and work directories, volumes that ask for it"},
    {SCMP_SYS(fchmod), "mode of the upper directory"},
    {SCMP_SYS(unlinkat), "take back the directories of a job that failed"},
    {SCMP_SYS(fchown), "owner of the upper directory"},
    {SCMP_SYS(fsetxattr), "marks on the upper directory"},
    {SCMP_SYS(fstatfs), "what kind of file system"},
    {SCMP_SYS(uname), "which overlay interface the kernel has"},
};

}  // namespace

constexpr Profile kMountProfile = {
    .kind = Kind::kMount,
    .name = "mount",
    .purpose = "build a root file system and clone volumes, as detached mounts",
    .input = "broker: a job; no byte of an image",
    .user = "root",
    .uid = 0,
    .capabilities = kCaps,
    // The node's mounts: volumes are cloned with their peer groups.
    .namespaces = {.mount = Ns::kHost},
    .view = View::kHost,
    .fds = kFds,
    .syscall_sets = kSets,
    .syscalls = kSyscalls,
    .limits = {.nofile = 1024, .memory_bytes = 32ull << 20, .pids = 4, .wall_seconds = 60},
};
static_assert(EveryRowHasReason(kMountProfile));

}  // namespace bulkhead::security
