// The long-lived processes die: containers run on, their logs flow, and the next process knows
// them.
#include <signal.h>
#include <sys/wait.h>

#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using Runtime = tools::CriClient::Runtime;

class Restart : public NodeTest {
 protected:
  // A container that counts into its log, ten times a second, and ends with 9 on SIGTERM.
  void StartCounter() {
    auto pod = RunPod(PodRequest("pod"));
    ASSERT_THAT(pod, IsOk());
    auto container = Create(ContainerRequest(
        *pod, "main",
        {"/bin/sh", "-c",
         "trap 'exit 9' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"}));
    ASSERT_THAT(container, IsOk());
    ASSERT_THAT(Start(*container), IsOk());
    pod_ = *pod;
    container_ = *container;
  }

  // Kills one daemon and waits until another one is in its place and answers.
  void KillAndAwait(const std::string& name) {
    pid_t before = node().Daemon(name);
    ASSERT_GT(before, 0);
    ASSERT_EQ(kill(before, SIGKILL), 0);
    EXPECT_TRUE(Eventually(
        kPatience,
        [&] {
          pid_t now = node().Daemon(name);
          return now > 0 && now != before &&
                 cri().Call(&Runtime::Version, cri::VersionRequest(), absl::Seconds(2)).ok() &&
                 Status(container_).ok();
        }))
        << name << " did not come back";
  }

  // It runs still, and its log grows.
  void ExpectRunning() {
    auto status = Status(container_);
    ASSERT_THAT(status, IsOk());
    ASSERT_EQ(status->state(), cri::CONTAINER_RUNNING);
    size_t length = LogText(*status).size();
    EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return LogText(*status).size() > length; }))
        << "the log does not grow";
    EXPECT_THAT(Exec(container_, {"/bin/true"}), IsOk());
  }

  void ExpectEndsWell() {
    EXPECT_THAT(Stop(container_, 20), IsOk());
    auto status = Status(container_);
    ASSERT_THAT(status, IsOk());
    EXPECT_EQ(status->exit_code(), 9);
    // No line is lost or doubled.
    std::string expected;
    std::string text = LogText(*status);
    for (int i = 0; expected.size() < text.size(); ++i) absl::StrAppend(&expected, i, "\n");
    EXPECT_EQ(text, expected);
    RemoveAll();
  }

  std::string pod_;
  std::string container_;
};

TEST_F(Restart, Frontend) {
  StartCounter();
  KillAndAwait("frontend");
  ExpectRunning();
  ExpectEndsWell();
}

TEST_F(Restart, Broker) {
  StartCounter();
  KillAndAwait("broker");
  ExpectRunning();
  EXPECT_EQ(PodStatus(pod_)->state(), cri::SANDBOX_READY);
  ExpectEndsWell();
}

TEST_F(Restart, Spawner) {
  StartCounter();
  KillAndAwait("spawner");
  ExpectRunning();
  ExpectEndsWell();
}

TEST_F(Restart, Everything) {
  StartCounter();
  auto code = node().Down();
  ASSERT_THAT(code, IsOk());
  EXPECT_EQ(*code, 0);
  absl::SleepFor(absl::Milliseconds(500));
  absl::Status up = node().Up();
  ASSERT_TRUE(up.ok()) << up;
  ExpectRunning();
  ExpectEndsWell();
}

// What a service manager's watchdog does to one that does not answer. Nothing of the old ones may
// be in the new ones' way.
TEST_F(Restart, DaemonsThatHangEndWithTheirSupervisor) {
  StartCounter();
  std::vector<pid_t> daemons;
  for (const char* name : {"frontend", "broker", "streaming", "spawner", "auditor"}) {
    daemons.push_back(node().Daemon(name));
    ASSERT_GT(daemons.back(), 0) << name;
  }
  for (size_t i = 0; i < 3; ++i) ASSERT_EQ(kill(daemons[i], SIGSTOP), 0);
  kill(node().up().pid(), SIGKILL);
  ASSERT_THAT(node().Down(), IsOk());
  for (pid_t daemon : daemons) {  // ours now, as this process is their subreaper
    EXPECT_TRUE(Eventually(kPatience, [&] { return waitpid(daemon, nullptr, WNOHANG) != 0; }));
  }
  absl::Status up = node().Up();
  ASSERT_TRUE(up.ok()) << up;
  ExpectRunning();
  ExpectEndsWell();
}

TEST_F(Restart, ExitWhileTheBrokerIsDead) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container =
      Create(ContainerRequest(*pod, "main", {"/bin/sh", "-c", "sleep 0.3; echo done; exit 4"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  container_ = *container;
  auto code = node().Down();
  ASSERT_THAT(code, IsOk());
  absl::SleepFor(absl::Seconds(1));
  absl::Status up = node().Up();
  ASSERT_TRUE(up.ok()) << up;
  auto exited = AwaitExit(*container);
  ASSERT_THAT(exited, IsOk());
  EXPECT_EQ(exited->exit_code(), 4);
  EXPECT_EQ(LogText(*exited), "done\n");
  RemoveAll();
}

TEST_F(Restart, AllTogetherThriceOver) {
  StartCounter();
  for (int round = 0; round < 3; ++round) {
    for (const char* name : {"frontend", "broker", "spawner"}) KillAndAwait(name);
  }
  ExpectRunning();
  ExpectEndsWell();
}

}  // namespace
}  // namespace bulkhead::test
