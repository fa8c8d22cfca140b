#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "security/enforce/steps.h"

namespace bulkhead::security {
namespace {

using base::UniqueFd;

// Newer than Debian 12's header, and refused by older kernels: masked by the ABI that the kernel
// names.
constexpr uint64_t kTruncate = 1ull << 14;      // ABI 3
constexpr uint64_t kIoctlDevice = 1ull << 15;   // ABI 5
constexpr uint64_t kBindTcp = 1ull << 0;        // ABI 4
constexpr uint64_t kConnectTcp = 1ull << 1;     // ABI 4
constexpr uint64_t kScopeAbstract = 1ull << 0;  // ABI 6
constexpr uint64_t kScopeSignal = 1ull << 1;    // ABI 6
struct RulesetAttr {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
// No block device is ever made. Character devices are: 0:0, an overlay whiteout.
constexpr uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                            LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                            LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                            LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | kTruncate;
constexpr uint64_t kAll =
    kRead | kWrite | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_BLOCK | kIoctlDevice;
constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                              kReadFile | kTruncate | kIoctlDevice;

int Abi() {
  static const int abi = static_cast<int>(
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  return std::max(abi, 0);
}

uint64_t Rights(Access access) {
  switch (access) {
    case Access::kRead:
      return kRead;
    case Access::kReadWrite:
      return kRead | kWrite;
    case Access::kReadExecute:
      return kRead | LANDLOCK_ACCESS_FS_EXECUTE;
    case Access::kList:
      return LANDLOCK_ACCESS_FS_READ_DIR;
  }
  return 0;
}

uint64_t Known(uint64_t rights) {
  if (Abi() < 2) rights &= ~LANDLOCK_ACCESS_FS_REFER;
  if (Abi() < 3) rights &= ~kTruncate;
  if (Abi() < 5) rights &= ~kIoctlDevice;
  return rights;
}

absl::StatusOr<UniqueFd> CreateRuleset(RulesetAttr attr) {
  attr.handled_access_fs = Known(attr.handled_access_fs);
  if (Abi() < 4) attr.handled_access_net = 0;
  if (Abi() < 6) attr.scoped = 0;
  const size_t size = Abi() >= 6 ? sizeof(attr) : Abi() >= 4 ? 16 : 8;
  UniqueFd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attr, size, 0)));
  if (!ruleset) return base::ErrnoStatus("landlock_create_ruleset");
  return ruleset;
}

absl::Status AllowBelow(int ruleset, int fd, Access access) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus("fstat");
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = Known(Rights(access));
  if (!S_ISDIR(st.st_mode)) rule.allowed_access &= kOfFiles;
  rule.parent_fd = fd;
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return base::ErrnoStatus("landlock_add_rule");
  }
  return absl::OkStatus();
}

absl::Status Restrict(int ruleset) {
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) == 0) return absl::OkStatus();
  return base::ErrnoStatus("landlock_restrict_self");
}

void WarnMissing(absl::string_view who) {
  base::Log(base::Severity::kWarning, "this kernel has no Landlock; uid and empty root remain",
            {{"kind", who}});
}

absl::Status AllowPath(int ruleset, const Path& row, const Places& places) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, ExpandPath(row.path, places));
  UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd && errno == ENOENT) return absl::OkStatus();  // NarrowView left it out
  if (!fd) return base::ErrnoStatus(absl::StrCat("open ", path));
  return base::Annotate(AllowBelow(ruleset, fd.get(), row.access), path);
}

bool Holds(const Profile& profile, int capability) {
  return std::any_of(profile.capabilities.begin(), profile.capabilities.end(),
                     [capability](const Cap& row) { return row.number == capability; });
}

RulesetAttr HandledBy(const Profile& profile) {
  RulesetAttr attr = {};
  attr.handled_access_fs = kAll;
  attr.handled_access_net = kBindTcp;
  if (profile.namespaces.net == Ns::kNew) attr.handled_access_net |= kConnectTcp;
  attr.scoped = kScopeAbstract;
  if (!Holds(profile, CAP_KILL)) attr.scoped |= kScopeSignal;
  return attr;
}

}  // namespace

absl::Status ApplyLandlock(const Profile& profile, const Places& places) {
  if (profile.view == View::kHost) return absl::OkStatus();  // it would refuse every mount
  if (!profile.landlock) return absl::OkStatus();
  if (Abi() == 0) {
    WarnMissing(profile.name);
    return absl::OkStatus();
  }
  std::vector<const FdRow*> directories;
  for (const FdRow& row : profile.fds) {
    if (row.is_dir && row.dir != Dir::kRegistries) directories.push_back(&row);
  }
  // Directories that come with the job are not known yet, and a later ruleset only takes away. Even
  // one about the network alone takes something: every layer forbids links from one directory to
  // another that it does not allow itself. ConfineToDirectories makes the whole of it then.
  if (profile.view == View::kDirFds && directories.empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd ruleset, CreateRuleset(HandledBy(profile)));
  for (const Path& row : profile.paths) {
    BULKHEAD_RETURN_IF_ERROR(AllowPath(ruleset.get(), row, places));
  }
  for (const FdRow* row : directories) {
    BULKHEAD_RETURN_IF_ERROR(AllowBelow(ruleset.get(), row->fd, row->access));
  }
  return Restrict(ruleset.get());
}

absl::Status ConfineToDirectories(absl::Span<const int> read, absl::Span<const int> read_write) {
  if (Abi() == 0) {
    WarnMissing("worker");
    return absl::OkStatus();
  }
  // Who is given directories has no business with the network or with other processes.
  const RulesetAttr attr = {.handled_access_fs = kAll,
                            .handled_access_net = kBindTcp | kConnectTcp,
                            .scoped = kScopeAbstract | kScopeSignal};
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd ruleset, CreateRuleset(attr));
  for (int fd : read) BULKHEAD_RETURN_IF_ERROR(AllowBelow(ruleset.get(), fd, Access::kRead));
  for (int fd : read_write) {
    BULKHEAD_RETURN_IF_ERROR(AllowBelow(ruleset.get(), fd, Access::kReadWrite));
  }
  return Restrict(ruleset.get());
}

absl::Status ConfineToDirectories(absl::Span<const int> directories, Access access) {
  if (access == Access::kReadWrite) return ConfineToDirectories({}, directories);
  return ConfineToDirectories(directories, absl::Span<const int>());
}

}  // namespace bulkhead::security
