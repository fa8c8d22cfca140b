#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "security/describe.h"
#include "tests/security/bpf.h"
#include "tests/security/model.h"

namespace bulkhead::security {
namespace {

constexpr int kLastCall = 470;
constexpr uint32_t kX32 = 0x40000000;
#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#else
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#endif

std::vector<const Profile*> Filtered() {
  std::vector<const Profile*> kinds;
  for (const Profile* profile : AllProfiles()) {
    if (profile->confinement == Confinement::kFull) kinds.push_back(profile);
  }
  return kinds;
}

seccomp_data Call(int number, const Arguments& arguments, uint32_t arch = kArch) {
  seccomp_data data = {};
  data.nr = number;
  data.arch = arch;
  std::copy(arguments.begin(), arguments.end(), data.args);
  return data;
}

// Arguments at which the rows of one call may differ: each row's own, those one bit away, none and
// all bits.
std::vector<Arguments> Interesting(const std::vector<Syscall>& rows, int number) {
  Arguments ones;
  ones.fill(~0ull);
  std::vector<Arguments> all = {{}, ones};
  for (const Syscall& row : rows) {
    if (row.number != number) continue;
    Arguments right = {};
    for (const ArgRule& rule : row.args) right[rule.index] = rule.value;
    all.push_back(right);
    for (const ArgRule& rule : row.args) {
      for (int bit = 0; bit < 64; ++bit) {
        Arguments wrong = right;
        wrong[rule.index] ^= 1ull << bit;
        all.push_back(wrong);
      }
    }
  }
  return all;
}

class FilterTest : public ::testing::TestWithParam<const Profile*> {
 protected:
  void SetUp() override {
#ifdef BULKHEAD_SANITIZED
    GTEST_SKIP() << "filters of sanitizer builds are looser";
#endif
    const absl::Span<const sock_filter> filter = CompiledFilter(GetParam()->kind);
    ASSERT_FALSE(filter.empty());
    filter_.assign(filter.begin(), filter.end());
  }
  uint32_t Action(int number, const Arguments& arguments = {}) {
    return Evaluate(filter_, Call(number, arguments));
  }
  std::vector<sock_filter> filter_;
};

TEST_P(FilterTest, AllowsWhatTheTableSaysAndNothingElse) {
  const std::vector<Syscall> rows = EffectiveRows(*GetParam());
  for (int number = 0; number <= kLastCall; ++number) {
    for (const Arguments& arguments : Interesting(rows, number)) {
      ASSERT_EQ(Action(number, arguments), ActionOf(rows, number, arguments))
          << "call " << number << " with " << absl::StrJoin(arguments, ", ");
    }
  }
}

// What was computed while building is what this table gives now.
TEST_P(FilterTest, IsTheTables) {
  const absl::StatusOr<std::vector<sock_filter>> computed = ComputeFilter(*GetParam());
  ASSERT_TRUE(computed.ok()) << computed.status();
  ASSERT_EQ(filter_.size(), computed->size());
  EXPECT_EQ(memcmp(filter_.data(), computed->data(), filter_.size() * sizeof(sock_filter)), 0);
}

TEST_P(FilterTest, RefusesOtherArchitectures) {
  for (int number = 0; number <= kLastCall; ++number) {
    EXPECT_EQ(Evaluate(filter_, Call(number, {}, AUDIT_ARCH_I386)), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
    EXPECT_EQ(Action(static_cast<int>(kX32 | static_cast<uint32_t>(number))),
              SECCOMP_RET_KILL_PROCESS);
#endif
  }
}

// Whatever a table says: these never belong into one.
TEST_P(FilterTest, NeverAllowsWhatNoKindNeeds) {
  constexpr int kNever[] = {SYS_execve,
                            SYS_execveat,
                            SYS_ptrace,
                            SYS_bpf,
                            SYS_keyctl,
                            SYS_add_key,
                            SYS_request_key,
                            SYS_io_uring_setup,
                            SYS_io_uring_enter,
                            SYS_userfaultfd,
                            SYS_perf_event_open,
                            SYS_init_module,
                            SYS_finit_module,
                            SYS_delete_module,
                            SYS_kexec_load,
                            SYS_kexec_file_load,
                            SYS_reboot,
                            SYS_process_vm_readv,
                            SYS_process_vm_writev,
                            SYS_setns,
                            SYS_pivot_root,
                            SYS_chroot,
                            SYS_setuid,
                            SYS_setresuid,
                            SYS_setgid,
                            SYS_setresgid,
                            SYS_setgroups,
                            SYS_capset,
                            SYS_kill,
                            SYS_tkill,
                            SYS_tgkill,
                            SYS_pidfd_getfd,
                            SYS_personality,
                            SYS_seccomp,
                            SYS_setrlimit,
                            SYS_swapon,
                            SYS_settimeofday,
                            SYS_clock_settime,
                            SYS_open_by_handle_at,
                            SYS_name_to_handle_at,
                            SYS_shmget,
                            SYS_msgget,
                            SYS_semget,
                            SYS_mq_open,
                            SYS_quotactl,
                            SYS_acct,
                            SYS_syslog,
                            SYS_iopl,
                            SYS_ioperm,
                            SYS_modify_ldt,
                            SYS_vmsplice,
                            SYS_memfd_secret,
                            SYS_fork,
                            SYS_vfork,
                            SYS_mknod,
                            SYS_fanotify_init,
                            SYS_lookup_dcookie,
                            SYS_move_pages};
  for (int number : kNever) EXPECT_NE(Action(number, {1, 1, 1}), SECCOMP_RET_ALLOW) << number;
  // What is root already may say so once more: in a pod's user namespace it becomes that one's.
  const Kind kind = GetParam()->kind;
  EXPECT_EQ(Action(SYS_setresuid) == SECCOMP_RET_ALLOW,
            kind == Kind::kSandbox || kind == Kind::kUserinit);
  EXPECT_EQ(Action(SYS_setresgid) == SECCOMP_RET_ALLOW, kind == Kind::kSandbox);
  EXPECT_NE(Action(SYS_clone3), SECCOMP_RET_ALLOW);
  // Its own CPU time and memory at most, which it can only lower; never another process's.
  for (uint64_t resource : {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_MEMLOCK}) {
    EXPECT_NE(Action(SYS_prlimit64, {0, resource}), SECCOMP_RET_ALLOW) << resource;
  }
  for (uint64_t resource : {RLIMIT_CPU, RLIMIT_DATA, RLIMIT_AS}) {
    EXPECT_NE(Action(SYS_prlimit64, {1, resource}), SECCOMP_RET_ALLOW) << resource;
  }
  EXPECT_NE(Action(SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Action(SYS_mprotect, {0, 4096, PROT_EXEC}), SECCOMP_RET_ALLOW);
  for (uint64_t flags : {SIGCHLD | 0ul, CLONE_NEWUSER | 0ul, CLONE_VM | 0ul, CLONE_NEWPID | 0ul}) {
    EXPECT_NE(Action(SYS_clone, {flags}), SECCOMP_RET_ALLOW) << flags;
  }
  EXPECT_NE(Action(SYS_unshare, {CLONE_NEWUSER}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Action(SYS_socket, {AF_PACKET, SOCK_RAW}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Action(SYS_socket, {AF_INET, SOCK_RAW}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Action(SYS_socket, {AF_ALG, SOCK_SEQPACKET}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Action(SYS_socket, {AF_VSOCK, SOCK_STREAM}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Action(SYS_ioctl, {2, 0x5412 /* TIOCSTI */}), SECCOMP_RET_ALLOW);
}

// So that a review shows what a change of a table really changes. BULKHEAD_UPDATE_GOLDEN=1 writes
// the files.
TEST_P(FilterTest, IsWhatWasReviewed) {
  std::multiset<std::string> lines;
  for (const Syscall& row : EffectiveRows(*GetParam())) lines.insert(CallText(row));
  const std::string text = absl::StrJoin(lines, "\n") + "\n";
  const std::string path = absl::StrCat(BULKHEAD_GOLDEN_DIR, "/", GetParam()->name, ".txt");
  if (getenv("BULKHEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(golden.str(), text) << path;
}

INSTANTIATE_TEST_SUITE_P(Kinds, FilterTest, ::testing::ValuesIn(Filtered()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(Profiles, OnlyTheseTouchMounts) {
  for (const Profile* profile : Filtered()) {
    const bool expected = profile->kind == Kind::kMount || profile->kind == Kind::kSandbox;
    for (int number : {SYS_mount, SYS_fsmount, SYS_move_mount, SYS_open_tree, SYS_umount2}) {
      EXPECT_EQ(TableAllows(*profile, number), expected) << profile->name << " " << number;
    }
  }
}

TEST(Profiles, OnlyFetchReachesAnotherMachineAndOnlyDialAPod) {
  for (const Profile* profile : Filtered()) {
    const bool expected = profile->kind == Kind::kFetch || profile->kind == Kind::kDial;
    EXPECT_EQ(TableAllows(*profile, SYS_socket, {AF_INET, SOCK_STREAM, IPPROTO_TCP}), expected)
        << profile->name;
  }
}

// Landlock keeps files from all others.
TEST(Profiles, WhoGoesWithoutLandlockOpensDirectoriesAlone) {
  constexpr uint64_t kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  for (const Profile* profile : Filtered()) {
    EXPECT_EQ(profile->landlock, profile->kind != Kind::kHandles) << profile->name;
    if (profile->landlock) continue;
    for (int number : {SYS_open, SYS_openat2, SYS_creat, SYS_open_tree, SYS_pidfd_open, SYS_socket,
                       SYS_connect, SYS_pidfd_send_signal}) {
      EXPECT_FALSE(TableAllows(*profile, number)) << profile->name << " " << number;
    }
    EXPECT_TRUE(TableAllows(*profile, SYS_openat, {4, 0, kDirectory})) << profile->name;
    for (int bit = 0; bit < 32; ++bit) {
      const uint64_t other = kDirectory ^ (1ull << bit);
      EXPECT_FALSE(TableAllows(*profile, SYS_openat, {4, 0, other})) << profile->name << " " << bit;
    }
    EXPECT_FALSE(TableAllows(*profile, SYS_openat, {4, 0, O_RDONLY})) << profile->name;
  }
}

TEST(Profiles, WhoReadsUntrustedFormatsHasNoPowerOnTheNode) {
  for (Kind kind : {Kind::kFrontend, Kind::kBroker, Kind::kFetch, Kind::kManifest, Kind::kImport,
                    Kind::kInflate, Kind::kUser, Kind::kCni, Kind::kMonitor, Kind::kNodeconfig,
                    Kind::kStreaming}) {
    const Profile& profile = *FindProfile(kind);
    EXPECT_NE(profile.uid, 0u) << profile.name;
    EXPECT_TRUE(profile.capabilities.empty()) << profile.name;
    EXPECT_EQ(profile.confinement, Confinement::kFull) << profile.name;
    EXPECT_NE(profile.view, View::kHost) << profile.name;
  }
  EXPECT_EQ(kUnpackProfile.namespaces.user, Ns::kNew);
  EXPECT_EQ(kCopyupProfile.namespaces.user, Ns::kNew);
}

TEST(Profiles, AreFoundByKindAndName) {
  std::set<Kind> kinds;
  std::set<std::string> names;
  for (const Profile* profile : AllProfiles()) {
    EXPECT_EQ(FindProfile(profile->kind), profile);
    EXPECT_EQ(FindProfile(absl::string_view(profile->name)), profile);
    EXPECT_TRUE(kinds.insert(profile->kind).second);
    EXPECT_TRUE(names.insert(profile->name).second);
    EXPECT_EQ(profile->namespaces.user == Ns::kNew, profile->id_map != IdMap::kNone);
  }
  EXPECT_EQ(FindProfile(static_cast<Kind>(99)), nullptr);
  EXPECT_EQ(FindProfile("nothing"), nullptr);
}

TEST(Profiles, Description) {
  for (bool markdown : {false, true}) {
    const std::string text = DescribeProfiles(true, markdown);
    for (const Profile* profile : AllProfiles()) {
      EXPECT_NE(text.find(profile->purpose), std::string::npos) << profile->name;
    }
    EXPECT_NE(text.find("clone3 -> ENOSYS"), std::string::npos);
    EXPECT_NE(text.find("CAP_SYS_ADMIN"), std::string::npos);
  }
  EXPECT_LT(DescribeProfiles(false, false).size(), DescribeProfiles(true, false).size());
}

}  // namespace
}  // namespace bulkhead::security
