#pragma once

#include <sys/types.h>

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// What one process kind may do. One constexpr Profile a kind in profiles/<kind>.cc: data only, no
// condition. The same table is applied at start (enforce/), compared with the live process
// (self-test), attacked by probes (tests/security) and printed (`bulkhead privileges`).
namespace bulkhead::security {

enum class Kind : uint32_t {
  kFrontend = 1,
  kBroker = 2,
  kSpawner = 3,
  kStreaming = 4,
  kAuditor = 5,
  kFetch = 10,
  kManifest = 11,
  kImport = 12,
  kInflate = 13,
  kUnpack = 14,
  kUser = 15,
  kMount = 16,
  kSandbox = 17,
  kCni = 18,
  kNetwork = 19,
  kLaunch = 20,
  kMonitor = 21,
  kSignal = 22,
  kRemove = 23,
  kInit = 24,
  kDial = 25,
  kPack = 26,
  kSync = 27,
  kLog = 28,
  kStats = 29,
  kUsage = 30,
  kNodefile = 31,
  kNodeconfig = 32,
  kCopyup = 33,
  kVerify = 34,
  kCheck = 35,
  kExport = 36,
  kCgroup = 37,
  kUnit = 38,
  kHandles = 39,
  kUserinit = 40,
  kLxc = 41,
};

struct Cap {
  int number;
  const char* reason;
};

// kList: names of a directory, but not what is in a file.
enum class Access { kRead, kReadWrite, kReadExecute, kList };

struct Path {
  const char* path;  // may begin with {root_dir} or {run_dir}
  Access access;
  const char* reason;
};

// A rule on one argument: (argument & mask) == value.
struct ArgRule {
  unsigned index;
  uint64_t mask;
  uint64_t value;
};

struct Syscall {
  int number;
  const char* reason;
  // All must hold; several rows for one number are alternatives.
  absl::Span<const ArgRule> args = {};
  // Not 0: refused with this errno instead of death, for what libraries merely try. A row that
  // allows the same call without rules on arguments wins over it; one with such rules wins over it
  // where it has none itself, and then all else is death.
  int error = 0;
};

// A named group of syscalls that many kinds need; defined once in profiles/syscall_sets.cc.
struct SyscallSet {
  const char* name;
  absl::Span<const Syscall> rows;
};

enum class Ns { kHost, kNew };

struct Namespaces {
  Ns mount = Ns::kNew;
  Ns pid = Ns::kNew;
  Ns net = Ns::kNew;
  Ns ipc = Ns::kNew;
  Ns uts = Ns::kNew;
  Ns cgroup = Ns::kNew;
  Ns user = Ns::kHost;
};

// How the ids of a new user namespace map to the node's.
enum class IdMap {
  kNone,   // no user namespace
  kLayer,  // layer_ids.h: 0.. at the layer shift, plus the broker's uid, to take over the directory
           // it made
  kIdentity,  // every id is itself: power over files' owners without power over the node
};

// What the spawner opens at its start and hands to a worker, instead of paths.
enum class Dir {
  kRoot,
  kRun,
  kLayers,
  kContainers,
  kCgroup,      // base::kCgroupMount
  kProc,        // /proc of the node
  kRegistries,  // no directory: a sealed memfd, how registries are reached (registries.capnp)
  kLayerIds,    // no directory: a user namespace for MOUNT_ATTR_IDMAP that shows a layer's owners
                // without the shift
};

struct FdRow {
  int fd;
  const char* what;
  bool is_dir = false;  // dir is set: the spawner provides it, a directory usually
  Dir dir = Dir::kRoot;
  bool optional = false;               // may be absent
  Access access = Access::kReadWrite;  // what Landlock allows below a directory
};

struct Limits {
  uint32_t nofile = 64;
  uint32_t nproc = 0;                   // of this uid; 0: RLIMIT_NPROC is not set
  uint64_t memory_bytes = 64ull << 20;  // of the worker's cgroup
  uint32_t pids = 8;                    // of the worker's cgroup
  uint32_t wall_seconds = 60;           // the broker's deadline for one job; 0: lives on
};

enum class Confinement {
  kFull,         // no_new_privs, Landlock, seccomp, empty or listed file system
  kInheritable,  // an ancestor of containers or of CNI plugins: whatever is taken here would be
                 // missing there, so no no_new_privs, seccomp or Landlock, and the full bounding
                 // set
};

// How the file system is narrowed.
enum class View {
  kEmpty,   // an empty root
  kListed,  // a root with the listed paths alone, Landlock on top
  kHost,    // the node's, because mounts must be made there or programs of the node run
  kDirFds,  // an empty root; Landlock allows what lies below the directory fds, added by
            // ConfineToDirectories
};

struct Profile {
  Kind kind;
  const char* name;     // the kind's noun: folder, program suffix, user and process title
  const char* purpose;  // one line
  const char* input;    // who talks to it, and what untrusted bytes it reads
  const char* user;     // name in docs and sysusers
  uid_t uid;            // also the gid
  Confinement confinement = Confinement::kFull;
  absl::Span<const Cap> capabilities = {};  // effective, permitted and (kFull) bounding
  Namespaces namespaces = {};
  IdMap id_map = IdMap::kNone;
  View view = View::kEmpty;
  // False: a process under Landlock may look at none outside, whatever its capabilities (Linux,
  // security/landlock/task.c, ptrace_access_check), and this kind must. Its filter then keeps it
  // from opening files.
  bool landlock = true;
  absl::Span<const Path> paths = {};
  absl::Span<const FdRow> fds = {};  // beyond 0, 1, 2
  absl::Span<const SyscallSet* const> syscall_sets = {};
  absl::Span<const Syscall> syscalls = {};
  Limits limits = {};
};

// Whether each row says why it is there; every profiles/<kind>.cc asserts it.
constexpr bool IsReason(const char* text) { return text != nullptr && text[0] != '\0'; }
constexpr bool EveryRowHasReason(absl::Span<const Syscall> rows) {
  for (const Syscall& row : rows) {
    if (!IsReason(row.reason)) return false;
  }
  return true;
}
constexpr bool EveryRowHasReason(const Profile& profile) {
  for (const Cap& row : profile.capabilities) {
    if (!IsReason(row.reason)) return false;
  }
  for (const Path& row : profile.paths) {
    if (!IsReason(row.reason)) return false;
  }
  for (const FdRow& row : profile.fds) {
    if (!IsReason(row.what)) return false;
  }
  return EveryRowHasReason(profile.syscalls) && IsReason(profile.purpose) &&
         IsReason(profile.input);
}

// All kinds, in Kind's order.
absl::Span<const Profile* const> AllProfiles();
// nullptr for an unknown kind: refuse.
const Profile* FindProfile(Kind kind);
const Profile* FindProfile(absl::string_view name);

extern const Profile kFrontendProfile;
extern const Profile kBrokerProfile;
extern const Profile kSpawnerProfile;
extern const Profile kAuditorProfile;
extern const Profile kFetchProfile;
extern const Profile kManifestProfile;
extern const Profile kImportProfile;
extern const Profile kInflateProfile;
extern const Profile kUnpackProfile;
extern const Profile kUserProfile;
extern const Profile kMountProfile;
extern const Profile kSandboxProfile;
extern const Profile kCniProfile;
extern const Profile kNetworkProfile;
extern const Profile kLaunchProfile;
extern const Profile kMonitorProfile;
extern const Profile kSignalProfile;
extern const Profile kRemoveProfile;
extern const Profile kInitProfile;
extern const Profile kNodefileProfile;
extern const Profile kNodeconfigProfile;
extern const Profile kCopyupProfile;
extern const Profile kPackProfile;
extern const Profile kSyncProfile;
extern const Profile kStreamingProfile;
extern const Profile kDialProfile;
extern const Profile kLogProfile;
extern const Profile kStatsProfile;
extern const Profile kUsageProfile;
extern const Profile kVerifyProfile;
extern const Profile kCheckProfile;
extern const Profile kExportProfile;
extern const Profile kCgroupProfile;
extern const Profile kUnitProfile;
extern const Profile kHandlesProfile;
extern const Profile kUserinitProfile;
extern const Profile kLxcProfile;

// Fixed uids, below the range that dynamic users take; packaging reserves them by name.
inline constexpr uid_t kFrontendUid = 59101;
inline constexpr uid_t kBrokerUid = 59102;
inline constexpr uid_t kStreamingUid = 59103;
inline constexpr uid_t kAuditorUid = 59104;
inline constexpr uid_t kFetchUid = 59110;
// What parses: manifest, import, user, cni, nodeconfig, verify and others, each in namespaces of its own.
inline constexpr uid_t kParseUid = 59111;
inline constexpr uid_t kInflateUid = 59112;
inline constexpr uid_t kMonitorUid = 59113;
inline constexpr uid_t kStatsUid = 59140;
inline constexpr uid_t kPackUid = 59150;  // pack, sync

}  // namespace bulkhead::security
