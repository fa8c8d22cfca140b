// Workers that stand by, confined and without a job.
#include <csignal>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

class Spare : public NodeTest {
 protected:
  void RunThrough(const std::string& name) {
    auto pod = RunPod(PodRequest(name));
    ASSERT_THAT(pod, IsOk());
    auto container = Create(ContainerRequest(*pod, "main", {"/bin/sleep", "1000"}));
    ASSERT_THAT(container, IsOk());
    ASSERT_THAT(Start(*container), IsOk());
    RemoveAll();
  }

  // By kind. Monitors and the daemons are none.
  std::map<std::string, std::set<pid_t>> Workers() {
    std::map<std::string, std::set<pid_t>> workers;
    for (const ProcessInfo& process : Descendants(node().Daemon("spawner"))) {
      if (absl::StartsWith(process.name, "bh-")) workers[process.name].insert(process.pid);
    }
    return workers;
  }

  bool OneOfEachStandsBy() {
    auto workers = Workers();
    for (const char* kind : kUsed) {
      // Launch has two, as a create and its start follow each other at once.
      if (workers[kind].size() != (std::string_view(kind) == "bh-launch" ? 2 : 1)) return false;
    }
    return true;
  }

  // The kinds that RunThrough makes use of.
  static constexpr const char* kUsed[] = {"bh-sandbox", "bh-cgroup", "bh-mount",
                                          "bh-user",    "bh-launch", "bh-remove"};
};

TEST_F(Spare, OneOfAKindStandsBy) {
  RunThrough("first");
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return OneOfEachStandsBy(); }));
  auto before = Workers();
  RunThrough("second");
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return OneOfEachStandsBy(); }));
  // One that had a job is not used again.
  auto after = Workers();
  for (const char* kind : kUsed) EXPECT_FALSE(before[kind].contains(*after[kind].begin())) << kind;
}

TEST_F(Spare, OneThatWasKilledIsNotCountedOn) {
  RunThrough("first");
  ASSERT_TRUE(Eventually(absl::Seconds(10), [&] { return OneOfEachStandsBy(); }));
  // One more may still have been on its way.
  ASSERT_TRUE(Eventually(absl::Seconds(10), [&] {
    const auto workers = Workers();
    for (const auto& [kind, pids] : workers) {
      for (pid_t pid : pids) kill(pid, SIGKILL);
    }
    return workers.empty();
  }));
  absl::SleepFor(absl::Milliseconds(500));  // until the broker was told
  RunThrough("second");
}

}  // namespace
}  // namespace bulkhead::test
