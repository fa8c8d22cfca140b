#include "security/enforce/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/time/clock.h"
#include "security/profile.h"

namespace bulkhead::security {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

// 0: none within the time.
pid_t AwaitChildOf(pid_t parent) {
  const std::string path =
      "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  for (const absl::Time end = absl::Now() + kPatience; absl::Now() < end;) {
    pid_t child = 0;
    if (std::ifstream(path) >> child) return child;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return 0;
}

// -1: it lives still.
int AwaitEnd(pid_t pid) {
  int status = -1;
  for (const absl::Time end = absl::Now() + kPatience; absl::Now() < end;) {
    if (waitpid(pid, &status, WNOHANG) == pid) return status;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return -1;
}

// The child of a spawner that is killed before it let the child go on does not wait for ever.
TEST(Spawn, ASpawnerThatIsKilledLeavesNoChildBehind) {
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  char name[] = "/tmp/bulkhead-spawn-XXXXXX";
  const std::string directory = mkdtemp(name);
  const std::string procs = directory + "/cgroup.procs";
  // To open it for writing takes a reader, who never comes.
  ASSERT_EQ(mkfifo(procs.c_str(), 0600), 0);
  const pid_t spawner = fork();
  ASSERT_GE(spawner, 0);
  if (spawner == 0) {
    const int program = open("/bin/true", O_PATH | O_CLOEXEC);
    Spawn(kLaunchProfile, {.program = program, .cgroup_procs = {procs}}).IgnoreError();
    _exit(1);
  }
  const pid_t child = AwaitChildOf(spawner);
  kill(spawner, SIGKILL);
  EXPECT_NE(AwaitEnd(spawner), -1);
  ASSERT_GT(child, 0);
  const int status = AwaitEnd(child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 127) << status;
  if (status == -1) kill(child, SIGKILL);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace bulkhead::security
