#include "worker/launch/launch_fixture_test.h"

namespace bulkhead::launch {
namespace {

using testing::HasSubstr;

class ExecTest : public LaunchFixture {
 protected:
  void SetUp() override {
    LaunchFixture::SetUp();
    if (IsSkipped()) return;
    Run({"/bin/sleep", "1000"});
  }
  // "<pid> (<name>) <state> ..." of each process in the container's pid namespace.
  std::string Processes() { return Exec({"/bin/sh", "-c", "cat /proc/[0-9]*/stat"}).out; }
};

TEST_F(ExecTest, ReturnsOutputAndExitCode) {
  const ExecResult got = Exec({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.out, "out\n");
  EXPECT_EQ(got.err, "err\n");
  EXPECT_EQ(got.exit_code, 7);
}

TEST_F(ExecTest, ASignalIsAnExitCode) {
  EXPECT_EQ(Exec({"/bin/sh", "-c", "kill -9 $$"}).exit_code, 137);
}

TEST_F(ExecTest, IsConfinedLikeTheContainer) {
  const ExecResult got = Exec(
      {"/bin/sh", "-c", "grep -E 'Seccomp:|CapInh|CapBnd' /proc/self/status; ls /proc/self/fd"});
  EXPECT_THAT(got.out, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(got.out, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(got.out, HasSubstr("CapBnd:\t00000000a80425fb"));
  EXPECT_THAT(got.out, testing::EndsWith("\n0\n1\n2\n3\n")) << "a descriptor leaked";
}

TEST_F(ExecTest, RunsAsTheUserItIsGiven) {
  const ExecResult got =
      Exec({"/bin/id", "-u"}, 20000, 1 << 20,
           [](schema::Process::Builder process) { process.getUser().setUid(1); });
  EXPECT_EQ(got.out, "1\n");
}

TEST_F(ExecTest, AMissingProgramIsNamed) {
  const ExecResult got = Exec({"/bin/no-such-program"});
  EXPECT_EQ(got.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(got.status.message()), HasSubstr("no-such-program"));
}

TEST_F(ExecTest, TheDeadlineKillsTheCommandAndItsChildren) {
  const absl::Time begin = absl::Now();
  const ExecResult got =
      Exec({"/bin/sh", "-c", "sh -c 'tail -f /dev/null' & tail -f /dev/null"}, 300);
  EXPECT_EQ(got.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(3));
  // Its first process, sleep, waits for no orphan.
  EXPECT_THAT(Processes(), testing::Not(testing::ContainsRegex("\\(tail\\) [^ZX]")));
}

TEST_F(ExecTest, AChildThatKeepsTheStreamIsNotWaitedFor) {
  const absl::Time begin = absl::Now();
  const ExecResult got = Exec({"/bin/sh", "-c", "sleep 30 & echo done"});
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.out, "done\n");
  EXPECT_LT(absl::Now() - begin, absl::Seconds(3));
}

TEST_F(ExecTest, OutputBeyondTheLimitIsDropped) {
  const ExecResult got =
      Exec({"/bin/sh", "-c", "yes 0123456789 | head -c 3000000; echo end >&2"}, 20000, 100000);
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.out.size(), 100000u);
  EXPECT_EQ(got.err, "end\n");
}

TEST_F(ExecTest, SixteenMebibytesComeThrough) {
  const ExecResult got = Exec({"/bin/head", "-c", "17000000", "/dev/zero"}, 20000, 16 << 20);
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.out.size(), size_t{16} << 20);
}

TEST_F(ExecTest, AnEndedContainerIsAnError) {
  kill(monitor_, 0);
  EXPECT_TRUE(Delete().ok());
  EXPECT_FALSE(Exec({"/bin/true"}).status.ok());
}

}  // namespace
}  // namespace bulkhead::launch
