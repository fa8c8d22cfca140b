#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "security/enforce/inspect.h"
#include "security/enforce/spawn.h"
#include "tests/security/attempts.h"
#include "tests/security/model.h"

namespace bulkhead::security {
namespace {

namespace fs = std::filesystem;
using base::UniqueFd;

std::vector<const Profile*> Filtered() {
  std::vector<const Profile*> kinds;
  for (const Profile* profile : AllProfiles()) {
    if (profile->confinement == Confinement::kFull) kinds.push_back(profile);
  }
  return kinds;
}

// Starts bulkhead-probe under a profile, with the descriptors of its table.
class Prober {
 public:
  Prober() {
    char name[] = "/tmp/bulkhead-probe-XXXXXX";
    root_ = mkdtemp(name);
    chmod(root_.c_str(), 0755);
    places_ = {root_ + "/root", root_ + "/run"};
    for (const char* directory : {"root/state", "root/blobs", "root/ingest", "root/layers",
                                  "root/containers", "run/monitor"}) {
      fs::create_directories(root_ + "/" + directory);
    }
    program_.Reset(open(BULKHEAD_BIN_DIR "/bulkhead-probe", O_PATH | O_CLOEXEC));
    layer_ids_ = *MakeLayerIdsNamespace();
  }
  ~Prober() { fs::remove_all(root_); }

  absl::StatusOr<Spawned> Start(const Profile& profile, absl::string_view kind,
                                absl::string_view attempt) {
    base::FdPair control = *base::MakeSocketPair(SOCK_STREAM);
    control_ = std::move(control.first);
    std::vector<UniqueFd> owned;
    SpawnOptions options = {
        .program = program_.get(),
        .arguments = {std::string(kind), std::string(attempt), places_.root_dir, places_.run_dir}};
    for (const FdRow& row : profile.fds) {
      while (static_cast<int>(options.fds.size()) < row.fd - 3) options.fds.push_back(-1);
      if (row.fd == 3) {
        options.fds.push_back(control.second.get());
      } else if (row.optional) {
        options.fds.push_back(-1);
      } else {
        owned.push_back(OpenFor(row));
        options.fds.push_back(owned.back().get());
      }
    }
    return Spawn(profile, options);
  }

  // The wait status of an attempt.
  int Run(const Profile& profile, const Attempt& attempt) {
    absl::StatusOr<Spawned> spawned = Start(profile, profile.name, attempt.name);
    EXPECT_TRUE(spawned.ok()) << spawned.status();
    int status = -1;
    if (spawned.ok()) {
      EXPECT_EQ(waitpid(spawned->pid, &status, 0), spawned->pid);
    }
    return status;
  }

  void Release() { control_.Reset(); }
  const Places& places() const { return places_; }

 private:
  UniqueFd OpenFor(const FdRow& row) const {
    if (!row.is_dir || row.dir == Dir::kRegistries) return *base::MakeSealedMemfd("x", "x");
    if (row.dir == Dir::kLayerIds) return *base::Duplicate(layer_ids_.get());
    const std::string layers = places_.root_dir + "/layers";
    const std::string path = row.dir == Dir::kRoot         ? places_.root_dir
                             : row.dir == Dir::kRun        ? places_.run_dir
                             : row.dir == Dir::kLayers     ? layers
                             : row.dir == Dir::kContainers ? places_.root_dir + "/containers"
                             : row.dir == Dir::kProc       ? "/proc"
                                                           : "/sys/fs/cgroup";
    return UniqueFd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  std::string root_;
  Places places_;
  UniqueFd program_;
  UniqueFd layer_ids_;
  UniqueFd control_;
};

bool Holds(const Profile& profile, int capability) {
  return std::any_of(profile.capabilities.begin(), profile.capabilities.end(),
                     [&](const Cap& row) { return row.number == capability; });
}

bool HasDirectoryAt4(const Profile& profile) {
  return std::any_of(profile.fds.begin(), profile.fds.end(),
                     [](const FdRow& row) { return row.fd == 4 && row.is_dir; });
}

bool Lists(const Profile& profile, absl::string_view path) {
  return std::any_of(profile.paths.begin(), profile.paths.end(),
                     [&](const Path& row) { return row.path == path; });
}

bool TablePermits(const Profile& profile, const Attempt& attempt) {
  if (!TableAllows(profile, attempt.number, attempt.arguments)) return false;
  switch (attempt.needs) {
    case Attempt::Needs::kNothing:
      return true;
    case Attempt::Needs::kHostView:
      return profile.view == View::kHost;
    case Attempt::Needs::kHostDirectory:
      return profile.view == View::kHost && HasDirectoryAt4(profile);
    case Attempt::Needs::kHostOrListed:
      return profile.view == View::kHost || Lists(profile, "/etc/hosts");
    case Attempt::Needs::kSysAdmin:
      return Holds(profile, CAP_SYS_ADMIN);
    case Attempt::Needs::kNever:
      return false;
  }
  return false;
}

std::string Describe(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("signal ", WTERMSIG(status));
  return absl::StrCat("exit ", WEXITSTATUS(status));
}

class ProbeTest : public ::testing::TestWithParam<const Profile*> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
#ifdef BULKHEAD_SANITIZED
    GTEST_SKIP() << "filters of sanitizer builds are looser";
#endif
  }
};

UniqueFd ListenAbstract() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path + 1, kAbstractName);
  // May be in use: by this test for another kind, which is as good.
  (void)bind(fd.get(), reinterpret_cast<sockaddr*>(&address),
             sizeof(sa_family_t) + 1 + strlen(kAbstractName));
  (void)listen(fd.get(), 1);
  return fd;
}

TEST_P(ProbeTest, GetsWhatTheTableSaysAndNothingElse) {
  const Profile& profile = *GetParam();
  const UniqueFd listener = ListenAbstract();
  Prober prober;
  int refused = 0;
  for (const Attempt& attempt : Attempts()) {
    const bool about_hosts = absl::StrContains(attempt.name, "/etc/hosts");
    if (about_hosts && access("/etc/hosts", F_OK) != 0) continue;  // a very small node
    const int status = prober.Run(profile, attempt);
    if (TablePermits(profile, attempt)) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kSucceeded)
          << attempt.name << ": " << Describe(status);
      continue;
    }
    ++refused;
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    EXPECT_TRUE(killed || (WIFEXITED(status) && WEXITSTATUS(status) == kRefused))
        << attempt.name << ": " << Describe(status);
  }
  EXPECT_GT(refused, 30);
}

TEST_P(ProbeTest, LooksLikeItsTable) {
  const Profile& profile = *GetParam();
  Prober prober;
  absl::StatusOr<Spawned> spawned = prober.Start(profile, profile.name, "pause");
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  const absl::Status status =
      InspectWhenEntered(profile, spawned->pid, {.places = prober.places(), .exact_fds = true},
                         base::Deadline::After(absl::Seconds(20)));
  EXPECT_TRUE(status.ok()) << status;
  prober.Release();
  int wait_status = 0;
  EXPECT_EQ(waitpid(spawned->pid, &wait_status, 0), spawned->pid);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ProbeTest, ::testing::ValuesIn(Filtered()),
                         [](const auto& info) { return std::string(info.param->name); });

std::set<int> FdsOf(pid_t pid) {
  std::set<int> fds;
  for (const auto& entry : fs::directory_iterator(absl::StrCat("/proc/", pid, "/fd"))) {
    int fd = -1;
    if (absl::SimpleAtoi(entry.path().filename().string(), &fd)) fds.insert(fd);
  }
  return fds;
}

// What Spawn alone gives, whatever the caller has open, blocks or ignores.
TEST(SpawnTest, GivesNothingElse) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  std::vector<UniqueFd> many;
  // Not close-on-exec.
  for (int i = 0; i < 300; ++i) many.emplace_back(open("/dev/null", O_RDONLY));
  sigset_t blocked, before;
  sigfillset(&blocked);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  signal(SIGPIPE, SIG_IGN);
  setenv("LD_PRELOAD_CANARY", "1", 1);

  Prober prober;
  absl::StatusOr<Spawned> spawned = prober.Start(kMountProfile, "none", "pause");
  sigprocmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  const std::string proc = absl::StrCat("/proc/", spawned->pid);
  std::vector<int> table = {0, 1, 2};
  for (const FdRow& row : kMountProfile.fds) table.push_back(row.fd);
  EXPECT_THAT(FdsOf(spawned->pid), ::testing::ElementsAreArray(table));
  EXPECT_EQ(*base::ReadFile(proc + "/environ", 4096), "");
  EXPECT_EQ(fs::read_symlink(proc + "/cwd"), "/");
  EXPECT_EQ(fs::read_symlink(proc + "/fd/0"), "/dev/null");
  EXPECT_EQ(fs::read_symlink(proc + "/fd/4"), prober.places().root_dir + "/layers");
  const std::string status = *base::ReadFile(proc + "/status", 65536);
  EXPECT_THAT(status, ::testing::HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(status, ::testing::HasSubstr("SigIgn:\t0000000000000000"));
  EXPECT_EQ(getsid(spawned->pid), spawned->pid);
  prober.Release();
  int wait_status = 0;
  EXPECT_EQ(waitpid(spawned->pid, &wait_status, 0), spawned->pid);
  EXPECT_EQ(WEXITSTATUS(wait_status), kSucceeded) << Describe(wait_status);
}

TEST(SpawnTest, ReportsAProgramThatCannotStart) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  UniqueFd not_a_program(open("/etc/passwd", O_PATH | O_CLOEXEC));
  const absl::StatusOr<Spawned> spawned =
      Spawn(kMountProfile, {.program = not_a_program.get(), .fds = {}});
  EXPECT_FALSE(spawned.ok());
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST(SpawnTest, ReportsACgroupThatIsGone) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  UniqueFd program(open(BULKHEAD_BIN_DIR "/bulkhead-probe", O_PATH | O_CLOEXEC));
  for (const Profile* profile : {&kMountProfile, &kNetworkProfile}) {
    const absl::StatusOr<Spawned> spawned =
        Spawn(*profile, {.program = program.get(), .cgroup_procs = {"/nowhere/cgroup.procs"}});
    EXPECT_FALSE(spawned.ok());
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  }
}

// A program that is run by hand must neither go on unconfined nor narrow the node's own namespaces.
TEST(SpawnTest, APrivilegedProgramRunByHandEnds) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const pid_t pid = fork();
  if (pid == 0) {
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    execl(BULKHEAD_BIN_DIR "/bulkhead-probe", "probe", "unpack", "get the own pid", "", "",
          nullptr);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 126) << Describe(status);
  EXPECT_EQ(access("/etc/passwd", R_OK), 0);
}

TEST(EnterTest, ADescriptorThatIsMissingEndsIt) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  UniqueFd program(open(BULKHEAD_BIN_DIR "/bulkhead-probe", O_PATH | O_CLOEXEC));
  UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  absl::StatusOr<Spawned> spawned =
      Spawn(kInflateProfile, {.program = program.get(),
                              .fds = {},
                              .stderr_fd = null.get(),
                              .arguments = {"inflate", "get the own pid", "", ""}});
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  int status = 0;
  ASSERT_EQ(waitpid(spawned->pid, &status, 0), spawned->pid);
  EXPECT_EQ(WEXITSTATUS(status), 126) << Describe(status);
}

}  // namespace
}  // namespace bulkhead::security
