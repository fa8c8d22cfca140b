#include "worker/network/run_program.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/unique_fd.h"

namespace bulkhead::network {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RunProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/bulkhead-program-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override {
    if (!dir_.empty()) fs::remove_all(dir_);
    int status;
    EXPECT_EQ(waitpid(-1, &status, WNOHANG), -1) << "a child is left";
  }
  absl::StatusOr<Ended> Run(const std::string& script, absl::string_view input = "",
                            absl::Duration patience = absl::Seconds(30)) {
    const std::string path = dir_ / "plugin";
    std::ofstream(path) << "#!/bin/sh\n" << script;
    fs::permissions(path, fs::perms(0755));
    base::UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    return RunProgram({fd.get(), path, {"A=1", "PATH=/usr/bin:/bin"}, input},
                      base::Deadline::After(patience));
  }
  // The process whose pid the script wrote to the file is gone.
  bool IsGone(const char* pid_file) {
    pid_t pid = 0;
    std::ifstream(dir_ / pid_file) >> pid;
    EXPECT_GT(pid, 0);
    return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH;
  }
  fs::path dir_;
};

TEST_F(RunProgramTest, PassesInputAndOutput) {
  const auto ended = Run("cat; echo oops >&2; exit 3", "{\"a\":1}");
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->output, "{\"a\":1}");
  EXPECT_EQ(ended->error, "oops\n");
  EXPECT_EQ(ended->exit_code, 3);
}

TEST_F(RunProgramTest, PassesManyBytes) {
  const std::string input(kMaxOutputBytes, 'x');
  const auto ended = Run("cat", input);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_TRUE(ended->output == input);
}

TEST_F(RunProgramTest, GivesNothingElse) {
  setenv("SECRET", "s", 1);
  const base::UniqueFd leak(open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  const auto ended =
      Run("echo $(env | grep -v ^PWD | grep -v ^_ | sort) $(pwd); ls /proc/self/fd | wc -l");
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_THAT(ended->output, testing::StartsWith("A=1 PATH=/usr/bin:/bin /\n"));
  // 0, 1, 2, the one that ls itself opens, and the script, which its interpreter found by a
  // descriptor.
  EXPECT_THAT(ended->output, testing::EndsWith("\n5\n"));
}

TEST_F(RunProgramTest, RunsAProgramThatIsNoScript) {
  base::UniqueFd fd(open("/usr/bin/env", O_PATH | O_CLOEXEC));
  const auto ended =
      RunProgram({fd.get(), "env", {"A=1"}, ""}, base::Deadline::After(absl::Seconds(30)));
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->output, "A=1\n");
}

TEST_F(RunProgramTest, SaysWhatCannotBeExecuted) {
  const std::string path = dir_ / "text";
  std::ofstream(path) << "no program";
  fs::permissions(path, fs::perms(0755));
  base::UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  const auto ended = RunProgram({fd.get(), path, {}, ""}, base::Deadline::After(absl::Seconds(30)));
  EXPECT_THAT(std::string(ended.status().message()), HasSubstr("Exec format error"));
}

TEST_F(RunProgramTest, EndsOneThatHangs) {
  const absl::Time before = absl::Now();
  const auto ended = Run(
      absl::StrCat("trap '' TERM; echo $$ >", dir_.string(), "/pid; while :; do sleep 100; done"),
      "", absl::Milliseconds(300));
  EXPECT_TRUE(absl::IsDeadlineExceeded(ended.status())) << ended.status();
  EXPECT_LT(absl::Now() - before, absl::Seconds(5));
  EXPECT_TRUE(IsGone("pid"));
}

TEST_F(RunProgramTest, EndsWhatItLeavesBehind) {
  // In a session of its own, orphaned, and holding the pipe open.
  const auto ended = Run(absl::StrCat("setsid sh -c 'echo $$ >", dir_.string(),
                                      "/pid; exec sleep 1000' & \nwhile ! [ -s ", dir_.string(),
                                      "/pid ]; do sleep 0.01; done; echo done"));
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->output, "done\n");
  EXPECT_TRUE(IsGone("pid"));
}

TEST_F(RunProgramTest, EndsAWholeTreeOnTimeout) {
  const auto ended = Run(absl::StrCat("setsid sh -c 'setsid sh -c \"echo \\$\\$ >", dir_.string(),
                                      "/pid; exec sleep 1000\" & sleep 1000' & sleep 1000"),
                         "", absl::Seconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(ended.status())) << ended.status();
  EXPECT_TRUE(IsGone("pid"));
}

TEST_F(RunProgramTest, BoundsOutput) {
  const absl::Time before = absl::Now();
  const auto ended = Run("exec head -c 1073741824 /dev/zero");
  EXPECT_TRUE(absl::IsResourceExhausted(ended.status())) << ended.status();
  EXPECT_LT(absl::Now() - before, absl::Seconds(10));
  EXPECT_TRUE(absl::IsResourceExhausted(
      Run(absl::StrCat("head -c ", kMaxOutputBytes + 1, " /dev/zero")).status()));
}

TEST_F(RunProgramTest, BoundsErrorOutputWithoutStopping) {
  const auto ended = Run("head -c 3000000 /dev/zero >&2; echo fine");
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->error.size(), kMaxErrorBytes);
  EXPECT_EQ(ended->output, "fine\n");
}

TEST_F(RunProgramTest, TellsADeathFromAnEnd) {
  EXPECT_TRUE(absl::IsAborted(Run("kill -9 $$").status()));
}

TEST_F(RunProgramTest, GoesOnWhenStreamsAreClosedEarly) {
  const auto ended = Run("exec <&- >&- 2>&-; sleep 0.2; exit 5");
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->exit_code, 5);
  EXPECT_EQ(ended->output, "");
}

}  // namespace
}  // namespace bulkhead::network
