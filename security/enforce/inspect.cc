#include "security/enforce/inspect.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "base/status.h"
#include "security/layer_ids.h"

namespace bulkhead::security {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(2);

using Fields = std::map<std::string, std::string>;

absl::StatusOr<Fields> ReadStatus(const std::string& directory) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text,
                            base::ReadFile(directory + "/status", 64 << 10));
  Fields fields;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const std::vector<absl::string_view> words =
        absl::StrSplit(parts.second, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    fields[std::string(parts.first)] = absl::StrJoin(words, " ");
  }
  return fields;
}

uint64_t Hex(const Fields& fields, const char* name) {
  uint64_t value = 0;
  const auto found = fields.find(name);
  if (found == fields.end() || !absl::SimpleHexAtoi(found->second, &value)) return ~0ull;
  return value;
}

// One comparison of a process with its table; collects what differs.
class Comparison {
 public:
  Comparison(const Profile& profile, pid_t pid, const InspectOptions& options, Fields status,
             Fields own)
      : profile_(profile),
        options_(options),
        proc_(absl::StrCat("/proc/", pid)),
        status_(std::move(status)),
        own_(std::move(own)) {}

  std::vector<std::string> Run() {
    CompareIds();
    CompareCapabilities();
    CompareFilters();
    CompareNamespaces();
    CompareFds();
    CompareLimits();
    return std::move(differences_);
  }

 private:
  template <typename T>
  void Expect(absl::string_view what, const T& want, const T& is) {
    if (want == is) return;
    differences_.push_back(
        absl::StrCat(profile_.name, ": ", what, " is ", is, ", the table says ", want));
  }

  std::string Field(const char* name) const {
    const auto found = status_.find(name);
    return found == status_.end() ? "missing" : found->second;
  }

  void CompareIds() {
    const uid_t shift = profile_.id_map == IdMap::kLayer ? kLayerIdShift : 0;
    const std::string id = absl::StrCat(profile_.uid + shift);
    const std::string four = absl::StrJoin({id, id, id, id}, " ");
    Expect("uid", four, Field("Uid"));
    Expect("gid", four, Field("Gid"));
    Expect("groups", std::string(), Field("Groups"));
  }

  void ExpectCaps(const char* field, uint64_t want) {
    Expect(field, absl::StrFormat("%016x", want), Field(field));
  }

  void CompareCapabilities() {
    uint64_t table = 0;
    for (const Cap& row : profile_.capabilities) table |= 1ull << row.number;
    // A node that lacks one itself cannot give it; a user namespace of one's own has all.
    const uint64_t node = Hex(own_, "CapBnd");
    if (profile_.namespaces.user == Ns::kHost) table &= node;
    ExpectCaps("CapEff", table);
    ExpectCaps("CapPrm", table);
    ExpectCaps("CapInh", 0);
    ExpectCaps("CapAmb", 0);
    ExpectCaps("CapBnd", profile_.confinement == Confinement::kFull ? table : node);
  }

  void CompareFilters() {
    const bool full = profile_.confinement == Confinement::kFull;
    Expect("NoNewPrivs", std::string(full ? "1" : "0"), Field("NoNewPrivs"));
    Expect("Seccomp", absl::StrCat(full ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED),
           Field("Seccomp"));
  }

  void CompareNamespace(const char* name, Ns want) {
    const std::string link = absl::StrCat(proc_, "/ns/", name);
    const std::string own = absl::StrCat("/proc/self/ns/", name);
    struct stat theirs, ours;
    if (stat(link.c_str(), &theirs) != 0 || stat(own.c_str(), &ours) != 0) {
      differences_.push_back(absl::StrCat(profile_.name, ": cannot look at ", link));
      return;
    }
    const bool same = theirs.st_ino == ours.st_ino;
    Expect(absl::StrCat(name, " namespace"), std::string(want == Ns::kHost ? "the node's" : "new"),
           std::string(same ? "the node's" : "new"));
  }

  void CompareNamespaces() {
    const Namespaces& ns = profile_.namespaces;
    CompareNamespace("mnt", ns.mount);
    CompareNamespace("pid", ns.pid);
    CompareNamespace("net", ns.net);
    CompareNamespace("ipc", ns.ipc);
    CompareNamespace("uts", ns.uts);
    CompareNamespace("cgroup", ns.cgroup);
    CompareNamespace("user", ns.user);
  }

  std::set<int> OpenFds() const {
    std::set<int> fds;
    DIR* dir = opendir((proc_ + "/fd").c_str());
    if (dir == nullptr) return fds;
    while (const dirent* entry = readdir(dir)) {
      int fd;
      if (absl::SimpleAtoi(entry->d_name, &fd)) fds.insert(fd);
    }
    closedir(dir);
    return fds;
  }

  void CompareFds() {
    std::set<int> open = OpenFds();
    for (int standard : {0, 1, 2}) {
      if (open.erase(standard) == 0) Missing(standard, "standard stream");
    }
    for (const FdRow& row : profile_.fds) {
      if (open.erase(row.fd) == 0) {
        if (!row.optional) Missing(row.fd, row.what);
      } else if (row.is_dir) {
        CompareDirectory(row);
      }
    }
    if (!options_.exact_fds) return;
    for (int fd : open) {
      differences_.push_back(
          absl::StrCat(profile_.name, ": descriptor ", fd, " is not in the table"));
    }
  }

  void Missing(int fd, absl::string_view what) {
    differences_.push_back(
        absl::StrCat(profile_.name, ": descriptor ", fd, " (", what, ") is missing"));
  }

  std::string PathOf(Dir dir) const {
    const Places& places = options_.places;
    switch (dir) {
      case Dir::kRoot:
        return places.root_dir;
      case Dir::kRun:
        return places.run_dir;
      case Dir::kLayers:
        return places.root_dir.empty() ? "" : places.root_dir + "/layers";
      case Dir::kContainers:
        return places.root_dir.empty() ? "" : places.root_dir + "/containers";
      case Dir::kCgroup:
        return base::kCgroupMount;
      case Dir::kProc:
        return "/proc";
      case Dir::kRegistries:
      case Dir::kLayerIds:
        return "";
    }
    return "";
  }

  void CompareDirectory(const FdRow& row) {
    const std::string path = PathOf(row.dir);
    if (path.empty()) return;
    const std::string link = absl::StrCat(proc_, "/fd/", row.fd);
    struct stat is, want;
    if (stat(link.c_str(), &is) == 0 && stat(path.c_str(), &want) == 0 &&
        is.st_dev == want.st_dev && is.st_ino == want.st_ino) {
      return;
    }
    differences_.push_back(absl::StrCat(profile_.name, ": descriptor ", row.fd, " is not ", path));
  }

  void CompareLimits() {
    if (profile_.confinement != Confinement::kFull) return;
    rlimit own;
    getrlimit(RLIMIT_NOFILE, &own);
    const std::string want = absl::StrCat(std::min<rlim_t>(own.rlim_max, profile_.limits.nofile));
    const absl::StatusOr<std::string> limits = base::ReadFile(proc_ + "/limits", 64 << 10);
    for (absl::string_view line : absl::StrSplit(limits.value_or(""), '\n')) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipWhitespace());
      if (absl::StartsWith(line, "Max open files")) Expect("open files", want, words[4]);
      if (absl::StartsWith(line, "Max core file size"))
        Expect("core size", std::string("0"), words[5]);
    }
    if (!limits.ok()) differences_.push_back(absl::StrCat(profile_.name, ": limits unreadable"));
  }

  const Profile& profile_;
  const InspectOptions& options_;
  const std::string proc_;
  const Fields status_;
  const Fields own_;
  std::vector<std::string> differences_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> Inspect(const Profile& profile, pid_t pid,
                                                 const InspectOptions& options) {
  BULKHEAD_ASSIGN_OR_RETURN(Fields own, ReadStatus("/proc/self"));
  BULKHEAD_ASSIGN_OR_RETURN(Fields status, ReadStatus(absl::StrCat("/proc/", pid)));
  return Comparison(profile, pid, options, std::move(status), std::move(own)).Run();
}

absl::Status InspectWhenEntered(const Profile& profile, pid_t pid, const InspectOptions& options,
                                base::Deadline deadline) {
  for (;;) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> differences,
                              Inspect(profile, pid, options));
    if (differences.empty()) return absl::OkStatus();
    if (deadline.Passed()) return absl::FailedPreconditionError(absl::StrJoin(differences, "; "));
    absl::SleepFor(kPause);
  }
}

}  // namespace bulkhead::security
