#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/fs.h"
#include "ipc/message.h"
#include "security/enforce/inspect.h"
#include "security/selftest.h"
#include "tests/security/spawner_fixture.h"

namespace bulkhead::security {
namespace {

using ipc::SpawnEvent;
using ipc::SpawnOp;
using ipc::SpawnReply;
using ipc::SpawnRequest;

constexpr uint32_t kInflate = static_cast<uint32_t>(Kind::kInflate);

absl::Status AwaitHello(const base::UniqueFd& control) {
  return ipc::Receive(control.get(), {}, base::Deadline::After(absl::Seconds(5))).status();
}

bool Lives(pid_t pid) { return kill(pid, 0) == 0; }

bool Ends(pid_t pid) {
  for (int i = 0; i < 500 && Lives(pid); ++i) absl::SleepFor(absl::Milliseconds(10));
  return !Lives(pid);
}

TEST_F(SpawnerTest, IsWhatItsTableSays) {
  const absl::Status status = InspectWhenEntered(kSpawnerProfile, spawner_.pid, {.places = places_},
                                                 base::Deadline::After(absl::Seconds(5)));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(SpawnerTest, StartsAWorkerThatEndsByItself) {
  base::UniqueFd control = RequestWorker(1, kInflate);
  std::optional<SpawnReply> started = ReceiveEvent(1, SpawnEvent::kStarted);
  ASSERT_TRUE(started.has_value());
  ASSERT_TRUE(AwaitHello(control).ok());
  EXPECT_GT(CountCgroups(), 0);
  const auto differences =
      Inspect(kInflateProfile, started->pid, {.places = places_, .exact_fds = true});
  ASSERT_TRUE(differences.ok()) << differences.status();
  EXPECT_THAT(*differences, ::testing::IsEmpty());

  control.Reset();
  std::optional<SpawnReply> exited = ReceiveEvent(1, SpawnEvent::kExited);
  ASSERT_TRUE(exited.has_value());
  EXPECT_EQ(exited->value, 0);
  EXPECT_EQ(exited->oom_killed, 0u);
  EXPECT_EQ(CountCgroups(), 0);
}

// Neither can the short ones use up the node, nor do they take the place of those that containers
// last with.
TEST_F(SpawnerTest, RefusesOneMoreThanTheMost) {
  constexpr uint64_t kMost = 512;
  std::vector<base::UniqueFd> controls;
  for (uint64_t id = 1; id <= kMost; ++id) {
    controls.push_back(RequestWorker(id, kInflate));
    ASSERT_TRUE(ReceiveEvent(id, SpawnEvent::kStarted).has_value());
  }
  RequestWorker(kMost + 1, kInflate);
  std::optional<SpawnReply> refused = ReceiveEvent(kMost + 1, SpawnEvent::kFailed);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->value, EAGAIN);
  controls.push_back(RequestWorker(kMost + 2, static_cast<uint32_t>(Kind::kLaunch)));
  EXPECT_TRUE(ReceiveEvent(kMost + 2, SpawnEvent::kStarted).has_value());
  controls.front().Reset();
  ASSERT_TRUE(ReceiveEvent(1, SpawnEvent::kExited).has_value());
  controls.push_back(RequestWorker(kMost + 3, kInflate));
  EXPECT_TRUE(ReceiveEvent(kMost + 3, SpawnEvent::kStarted).has_value());
}

std::string CgroupOf(pid_t pid) {
  return base::ReadFile(absl::StrCat("/proc/", pid, "/cgroup"), 4096).value_or("");
}

TEST_F(SpawnerTest, ACgroupServesTheNextWorkerOfTheSameLimits) {
  base::UniqueFd first = RequestWorker(1, kInflate);
  std::optional<SpawnReply> started = ReceiveEvent(1, SpawnEvent::kStarted);
  ASSERT_TRUE(AwaitHello(first).ok());
  const std::string cgroup = CgroupOf(started->pid);
  EXPECT_THAT(cgroup, ::testing::HasSubstr(absl::StrCat("worker-", spawner_.pid, "-")));
  // Another one at the same time has its own.
  base::UniqueFd second = RequestWorker(2, kInflate);
  started = ReceiveEvent(2, SpawnEvent::kStarted);
  ASSERT_TRUE(AwaitHello(second).ok());
  EXPECT_NE(CgroupOf(started->pid), cgroup);
  first.Reset();
  ASSERT_TRUE(ReceiveEvent(1, SpawnEvent::kExited).has_value());
  // Other limits, another cgroup.
  base::UniqueFd third = RequestWorker(3, static_cast<uint32_t>(Kind::kDial));
  started = ReceiveEvent(3, SpawnEvent::kStarted);
  ASSERT_TRUE(AwaitHello(third).ok());
  EXPECT_NE(CgroupOf(started->pid), cgroup);
  base::UniqueFd fourth = RequestWorker(4, kInflate);
  started = ReceiveEvent(4, SpawnEvent::kStarted);
  ASSERT_TRUE(AwaitHello(fourth).ok());
  EXPECT_EQ(CgroupOf(started->pid), cgroup);
}

TEST_F(SpawnerTest, KillsOnRequestAlone) {
  base::UniqueFd first = RequestWorker(1, kInflate);
  base::UniqueFd second = RequestWorker(2, kInflate);
  ASSERT_TRUE(AwaitHello(first).ok());
  ASSERT_TRUE(AwaitHello(second).ok());
  Send({ipc::kSpawnMagic, SpawnOp::kKill, 99, 0, 0});
  Send({ipc::kSpawnMagic, SpawnOp::kKill, 1, 0, 0});
  std::optional<SpawnReply> exited = ReceiveEvent(1, SpawnEvent::kExited);
  ASSERT_TRUE(exited.has_value());
  EXPECT_TRUE(WIFSIGNALED(exited->value));
  EXPECT_EQ(WTERMSIG(exited->value), SIGKILL);
  second.Reset();
  exited = ReceiveEvent(2, SpawnEvent::kExited);
  ASSERT_TRUE(exited.has_value());
  EXPECT_EQ(exited->value, 0);
}

TEST_F(SpawnerTest, RefusesKindsThatAreNoWorkers) {
  const uint32_t kinds[] = {0,
                            9,
                            77,
                            ~0u,
                            static_cast<uint32_t>(Kind::kFrontend),
                            static_cast<uint32_t>(Kind::kSpawner),
                            static_cast<uint32_t>(Kind::kMonitor)};
  uint64_t id = 0;
  for (uint32_t kind : kinds) {
    RequestWorker(++id, kind);
    std::optional<SpawnReply> reply = Receive();
    ASSERT_TRUE(reply.has_value()) << kind;
    EXPECT_EQ(reply->event, SpawnEvent::kFailed) << kind;
    EXPECT_EQ(reply->value, EINVAL) << kind;
  }
  EXPECT_EQ(CountCgroups(), 0);
}

TEST_F(SpawnerTest, BoundsTheNumberOfWorkers) {
  constexpr uint64_t kAsked = 530, kMost = 512;
  std::vector<base::UniqueFd> controls;
  uint64_t started = 0, refused = 0;
  for (uint64_t id = 1; id <= kAsked; ++id) {
    // The kind that costs the node least: it lives in its namespaces.
    controls.push_back(RequestWorker(id, static_cast<uint32_t>(Kind::kNetwork)));
    std::optional<SpawnReply> reply = Receive();
    ASSERT_TRUE(reply.has_value()) << id;
    if (reply->event == SpawnEvent::kStarted) ++started;
    if (reply->event == SpawnEvent::kFailed && reply->value == EAGAIN) ++refused;
  }
  EXPECT_EQ(started, kMost);
  EXPECT_EQ(refused, kAsked - kMost);
  controls.clear();
  for (uint64_t i = 0; i < kMost; ++i) {
    std::optional<SpawnReply> reply = Receive(20000);
    ASSERT_TRUE(reply.has_value()) << i;
    EXPECT_EQ(reply->event, SpawnEvent::kExited);
  }
  EXPECT_EQ(CountCgroups(), 0);
}

TEST_F(SpawnerTest, EndsTheConnectionOnGarbage) {
  const base::FdPair pair = *base::MakeSocketPair(SOCK_STREAM);
  const SpawnRequest good = {ipc::kSpawnMagic, SpawnOp::kSpawn, 5, kInflate, 0};
  struct Case {
    const char* what;
    SpawnRequest request;
    int copies;
  };
  SpawnRequest bad_magic = good, bad_op = good, bad_zero = good, bad_kill = good;
  bad_magic.magic = 1;
  bad_op.op = static_cast<SpawnOp>(7);
  bad_zero.zero = 1;
  bad_kill.op = SpawnOp::kKill;
  const Case cases[] = {{"magic", bad_magic, 1},       {"operation", bad_op, 1},
                        {"zero", bad_zero, 1},         {"kill with a descriptor", bad_kill, 1},
                        {"no descriptor", good, 0},    {"two descriptors", good, 2},
                        {"many descriptors", good, 12}};
  for (const Case& test : cases) {
    SCOPED_TRACE(test.what);
    Send(test.request, test.copies > 0 ? pair.first.get() : -1, test.copies);
    EXPECT_TRUE(Closed());
    Reconnect();
  }
  // Short, long, and a descriptor that is no socket.
  EXPECT_EQ(send(broker_.get(), &good, 8, MSG_NOSIGNAL), 8);
  EXPECT_TRUE(Closed());
  Reconnect();
  char big[4096] = {};
  EXPECT_EQ(send(broker_.get(), big, sizeof(big), MSG_NOSIGNAL), 4096);
  EXPECT_TRUE(Closed());
  Reconnect();
  Send(good, 0);
  EXPECT_TRUE(Closed());
  Reconnect();
  base::UniqueFd control = RequestWorker(1, kInflate);
  EXPECT_TRUE(ReceiveEvent(1, SpawnEvent::kStarted).has_value());
}

TEST_F(SpawnerTest, RefusesAnIdThatWasUsed) {
  base::UniqueFd first = RequestWorker(3, kInflate);
  ASSERT_TRUE(ReceiveEvent(3, SpawnEvent::kStarted).has_value());
  base::UniqueFd second = RequestWorker(3, kInflate);
  EXPECT_TRUE(Closed());
}

TEST_F(SpawnerTest, ABrokerThatGoesTakesItsWorkersAlong) {
  base::UniqueFd control = RequestWorker(1, kInflate);
  std::optional<SpawnReply> started = ReceiveEvent(1, SpawnEvent::kStarted);
  ASSERT_TRUE(started.has_value());
  broker_.Reset();
  EXPECT_TRUE(Ends(started->pid));
  Reconnect();
  base::UniqueFd next = RequestWorker(1, kInflate);
  EXPECT_TRUE(ReceiveEvent(1, SpawnEvent::kStarted).has_value());
}

TEST_F(SpawnerTest, WorkersEndWithTheSpawner) {
  base::UniqueFd control = RequestWorker(1, kInflate);
  std::optional<SpawnReply> started = ReceiveEvent(1, SpawnEvent::kStarted);
  ASSERT_TRUE(started.has_value());
  ASSERT_TRUE(AwaitHello(control).ok());
  supervisor_.Reset();
  EXPECT_TRUE(Ends(started->pid));
}

TEST_F(SpawnerTest, EveryKindIsWhatItsTableSays) {
  const absl::Status status = TestWorkers(broker_.get(), places_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(CountCgroups(), 0);
}

// The start must be refused where a program is not what its table says: here one takes another's
// place.
TEST_F(SpawnerTest, ADifferenceIsFound) {
  const std::string programs = root_ + "/programs";
  std::filesystem::create_directory(programs);
  for (const auto& entry : std::filesystem::directory_iterator(BULKHEAD_BIN_DIR)) {
    const std::string name = entry.path().filename();
    if (!absl::StartsWith(name, "bulkhead-worker-")) continue;
    const bool swapped = name == "bulkhead-worker-inflate";
    std::filesystem::copy_file(
        swapped ? BULKHEAD_BIN_DIR "/bulkhead-worker-manifest" : entry.path(),
        programs + "/" + name);
  }
  Restart(programs);
  const absl::Status status = TestWorkers(broker_.get(), places_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("inflate: uid is 59111 59111 59111 59111"));
  EXPECT_THAT(std::string(status.message()), ::testing::Not(::testing::HasSubstr("manifest:")));
}

// Programs that misbehave in a worker's place.
class MisbehaviourTest : public SpawnerTest {
 protected:
  void SetUp() override {
    SpawnerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const std::string programs = root_ + "/programs";
    std::filesystem::create_directory(programs);
    for (const char* name : {"inflate", "network"}) {
      std::filesystem::copy_file(BULKHEAD_BIN_DIR "/bulkhead-probe",
                                 programs + "/bulkhead-worker-" + name);
    }
    Restart(programs);
  }
};

TEST_F(MisbehaviourTest, TheMemoryLimitEndsAWorkerAndIsReported) {
  base::UniqueFd control = RequestWorker(1, kInflate);
  std::optional<SpawnReply> exited = ReceiveEvent(1, SpawnEvent::kExited);
  ASSERT_TRUE(exited.has_value());
  EXPECT_TRUE(WIFSIGNALED(exited->value));
  EXPECT_EQ(WTERMSIG(exited->value), SIGKILL);
  EXPECT_EQ(exited->oom_killed, 1u);
  EXPECT_EQ(CountCgroups(), 0);
}

TEST_F(MisbehaviourTest, NothingThatAWorkerLeavesBehindLives) {
  base::UniqueFd control = RequestWorker(1, static_cast<uint32_t>(Kind::kNetwork));
  std::optional<SpawnReply> exited = ReceiveEvent(1, SpawnEvent::kExited);
  ASSERT_TRUE(exited.has_value());
  EXPECT_EQ(exited->value, 0);
  // Only an empty cgroup can be removed.
  EXPECT_EQ(CountCgroups(), 0);
}

TEST(InspectTest, SeesEachDifference) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto differences = Inspect(kInflateProfile, getpid(), {.exact_fds = true});
  ASSERT_TRUE(differences.ok()) << differences.status();
  const std::string all = absl::StrJoin(*differences, "\n");
  for (const char* what :
       {"uid is", "gid is", "CapEff is", "CapPrm is", "CapBnd is", "NoNewPrivs is 0",
        "Seccomp is 0", "mnt namespace is the node's", "pid namespace is the node's",
        "net namespace is the node's", "ipc namespace is the node's", "uts namespace is the node's",
        "cgroup namespace is the node's", "open files is"}) {
    EXPECT_THAT(all, ::testing::HasSubstr(what));
  }
  EXPECT_FALSE(Inspect(kInflateProfile, 1 << 30, {}).ok());
}

}  // namespace
}  // namespace bulkhead::security
