#include "tests/support/snapshot.h"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/unique_fd.h"
#include "tests/support/proc.h"
#include "tools/client/admin.h"

namespace bulkhead::test {
namespace {

namespace fs = std::filesystem;

// Below the root directory: the database's own files come and go with its journal, and images are
// what a test made before; whether they leak is for the tests of images to say.
constexpr const char* kNotOurs[] = {"state/"};

// Orphans that ended are this process's to reap, as it is their subreaper; nobody left them behind.
// Nor are the spare workers left behind: one of a kind is to stand by.
std::multiset<std::string> Processes(const std::vector<std::string>& spares) {
  std::multiset<std::string> names;
  for (const ProcessInfo& info : Descendants(getpid())) {
    if (info.state != 'Z' || info.parent != getpid()) names.insert(info.name);
  }
  for (const std::string& kind : spares) {
    if (auto found = names.find(absl::StrCat("bh-", kind)); found != names.end())
      names.erase(found);
  }
  return names;
}

std::multiset<std::string> Interfaces() {
  std::multiset<std::string> names;
  struct if_nameindex* list = if_nameindex();
  for (struct if_nameindex* i = list; i != nullptr && i->if_index != 0; ++i) {
    // The bridge stays by CNI's own rules.
    if (absl::string_view(i->if_name) != "bhtest0") names.insert(i->if_name);
  }
  if_freenameindex(list);
  return names;
}

void ListBelow(const std::string& top, std::multiset<std::string>* names) {
  std::error_code error;
  fs::recursive_directory_iterator end;
  for (fs::recursive_directory_iterator i(top, error); !error && i != end; i.increment(error)) {
    std::string name = i->path().string().substr(top.size() + 1);
    // What is inside a layer never changes, and is much.
    if (absl::StartsWith(name, "layers/") && i->is_directory(error)) i.disable_recursion_pending();
    bool ours = std::none_of(std::begin(kNotOurs), std::end(kNotOurs),
                             [&](const char* other) { return absl::StartsWith(name, other); });
    if (ours) names->insert(name);
  }
}

std::multiset<std::string> Files(const Node& node) {
  std::multiset<std::string> names;
  ListBelow(node.root_dir(), &names);
  ListBelow(node.run_dir(), &names);
  return names;
}

// Each spare worker has a descriptor in the broker.
std::multiset<std::string> Descriptors(const Node& node, size_t spares) {
  std::multiset<std::string> counts;
  for (const char* name : {"frontend", "broker", "spawner", "auditor", "streaming"}) {
    std::error_code error;
    const absl::string_view daemon = name;
    int count = daemon == "broker" ? -static_cast<int>(spares) : 0;
    fs::directory_iterator end;
    fs::directory_iterator i(absl::StrCat("/proc/", node.Daemon(name), "/fd"), error);
    for (; !error && i != end; i.increment(error)) ++count;
    counts.insert(absl::StrCat(name, " has ", count));
  }
  return counts;
}

std::multiset<std::string> Rows(const Node& node,
                                const absl::StatusOr<tools::AdminCounts>& counts) {
  if (!counts.ok()) return {counts.status().ToString()};
  absl::StatusOr<tools::AdminNetworks> networks = tools::AdminNetworkStatus(node.admin_socket());
  if (!networks.ok()) return {networks.status().ToString()};
  return {absl::StrCat("pods ", counts->pods),
          absl::StrCat("containers ", counts->containers),
          absl::StrCat("images ", counts->images),
          absl::StrCat("workers ", counts->workers),
          absl::StrCat("operations ", counts->operations),
          absl::StrCat("attached pods ", networks->attachments),
          absl::StrCat("networks owed ", networks->owed)};
}

// An empty one of the spawner's waits for its next worker.
bool IsIdle(const fs::path& cgroup) {
  return cgroup.filename().string().rfind("worker-", 0) == 0 &&
         std::ifstream(cgroup / "cgroup.procs").peek() == EOF;
}

// What is below a hierarchy's top and belongs to this test. Other runtimes of the host are at work
// there as well.
void ListCgroups(const std::string& top, const std::vector<std::string>& prefixes,
                 std::multiset<std::string>* found) {
  std::error_code error;
  fs::recursive_directory_iterator end;
  for (fs::recursive_directory_iterator i(top, fs::directory_options::skip_permission_denied,
                                          error);
       !error && i != end; i.increment(error)) {
    std::error_code gone;
    if (!i->is_directory(gone) || i->is_symlink(gone)) continue;
    std::string name = i->path().string().substr(top.size());
    for (const std::string& prefix : prefixes) {
      if (absl::StrContains(name, prefix) && !IsIdle(i->path())) found->insert(name);
    }
  }
}

std::multiset<std::string> Cgroups(const Node& node, size_t spares) {
  // Workers' cgroups bear their spawner's number; those of one that was killed count on.
  static std::set<pid_t> spawners;
  if (pid_t spawner = node.Daemon("spawner"); spawner > 0) spawners.insert(spawner);
  std::vector<std::string> prefixes;
  for (pid_t spawner : spawners) {
    prefixes.push_back(absl::StrCat("bulkhead/worker-", spawner, "-"));
  }
  std::multiset<std::string> workers, found;
  ListCgroups("/sys/fs/cgroup", prefixes, &workers);
  // Whose each is cannot be seen: their number counts, by hierarchy.
  std::map<std::string, int> number;
  for (const std::string& path : workers) ++number[path.substr(0, path.rfind('/'))];
  for (const auto& [parent, count] : number) {
    const int others = count - static_cast<int>(spares);
    if (others != 0) found.insert(absl::StrCat(parent, " has ", others, " workers"));
  }
  // An empty slice may stay.
  ListCgroups("/sys/fs/cgroup", {TestCgroupPath() + (SystemdDriver() ? "/" : "")}, &found);
  return found;
}

}  // namespace

bool SystemdDriver() {
  std::string init;
  std::getline(std::ifstream("/proc/1/comm"), init);
  return init == "systemd" && access("/run/systemd/system", F_OK) == 0;
}

// Without dashes, each of which would be a slice more.
std::string TestCgroup() {
  return SystemdDriver() ? absl::StrCat("bulkhead_test_", getpid(), ".slice") : TestCgroupPath();
}

std::string TestCgroupPath() {
  return SystemdDriver() ? absl::StrCat("/", TestCgroup())
                         : absl::StrCat("/bulkhead-test-", getpid());
}

void RemoveTestCgroup() {
  if (SystemdDriver()) {
    RunProgram({"/usr/bin/systemctl", "stop", TestCgroup()}, absl::Seconds(20));
    return;
  }
  const base::UniqueFd root(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
  absl::StatusOr<base::CgroupMode> mode = base::DetectCgroupMode();
  if (!mode.ok()) return;
  // A test that failed leaves containers in it.
  base::KillCgroup(root.get(), *mode, TestCgroupPath()).IgnoreError();
  base::RemoveCgroup(root.get(), *mode, TestCgroupPath()).IgnoreError();
}

Snapshot TakeSnapshot(Node& node) {
  Snapshot now;
  // The connection counts among the frontend's descriptors; after a restart it has to be made
  // again.
  node.cri()
      .Call(&tools::CriClient::Runtime::Version, runtime::v1::VersionRequest(), absl::Seconds(5))
      .status()
      .IgnoreError();
  // First, as it makes a connection of its own, which is gone when the descriptors are counted.
  const absl::StatusOr<tools::AdminCounts> counts = tools::AdminStatus(node.admin_socket());
  now["row"] = Rows(node, counts);
  std::vector<std::string> spares;
  if (counts.ok()) spares = counts->spares;
  now["process"] = Processes(spares);
  std::vector<std::string> mounts = Mounts();
  now["mount"] = {mounts.begin(), mounts.end()};
  now["interface"] = Interfaces();
  now["cgroup"] = Cgroups(node, spares.size());
  now["file"] = Files(node);
  now["descriptor"] = Descriptors(node, spares.size());
  return now;
}

std::string Difference(const Snapshot& before, const Snapshot& now) {
  std::string text;
  for (const auto& [kind, was] : before) {
    const std::multiset<std::string>& is = now.at(kind);
    std::vector<std::string> missing, surplus;
    std::set_difference(was.begin(), was.end(), is.begin(), is.end(), std::back_inserter(missing));
    std::set_difference(is.begin(), is.end(), was.begin(), was.end(), std::back_inserter(surplus));
    for (const std::string& name : missing) absl::StrAppend(&text, "- ", kind, " ", name, "\n");
    for (const std::string& name : surplus) absl::StrAppend(&text, "+ ", kind, " ", name, "\n");
  }
  return text;
}

std::string AwaitSnapshot(Node& node, const Snapshot& before, absl::Duration patience) {
  std::string difference;
  Eventually(patience, [&] {
    difference = Difference(before, TakeSnapshot(node));
    return difference.empty();
  });
  return difference;
}

}  // namespace bulkhead::test
