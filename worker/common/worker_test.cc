// One job, as a worker's process serves it; the profile is not entered here (tests/security does).
#include "worker/common/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/fs.h"
#include "schema/worker/user.capnp.h"
#include "worker/common/own_limits.h"

namespace bulkhead::worker {
namespace {

base::Deadline Soon() { return base::Deadline::After(absl::Seconds(10)); }

class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<base::FdPair> pair = base::MakeSocketPair(SOCK_STREAM);
    ASSERT_TRUE(pair.ok());
    broker_ = std::move(pair->first);
    base::UniqueFd control = std::move(pair->second);
    child_ = fork();
    if (child_ == 0) Serve(control.get(), broker_.get());
  }
  void TearDown() override {
    broker_.Reset();
    if (child_ > 0) {
      waitpid(child_, nullptr, 0);
    }
  }

  // Takes the user worker's job and answers with what was asked. With no user it sets no status.
  [[noreturn]] static void Serve(int control, int broker) {
    if (broker != kControlFd) close(broker);
    if (control != kControlFd) dup2(control, kControlFd);
    if (control != kControlFd) close(control);
    ServeJob<schema::UserJob, schema::UserResult>(
        1, [](schema::UserJob::Reader job, std::vector<base::UniqueFd> fds,
              schema::UserResult::Builder result) {
          const capnp::Text::Reader user = job.getUser();
          JobResult out;
          if (user.size() == 0) return out;
          ipc::WriteStatus(absl::OkStatus(), result.initStatus());
          result.setUsername(user);
          out.fds = std::move(fds);
          return out;
        });
    _exit(0);
  }

  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }
  void SendJob(const char* user, absl::Span<const int> fds) {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::UserJob>().setUser(user);
    ASSERT_TRUE(ipc::Send(broker_.get(), message, fds, Soon()).ok());
  }

  base::UniqueFd broker_;
  pid_t child_ = -1;
};

TEST_F(WorkerTest, AnswersOneJob) {
  absl::StatusOr<base::UniqueFd> memfd = base::MakeSealedMemfd("rootfs", "content");
  ASSERT_TRUE(memfd.ok());
  SendJob("0:0", {memfd->get()});
  absl::StatusOr<ipc::Received> result = ipc::Receive(broker_.get(), {.max_fds = 1}, Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  auto reader = result->As<schema::UserResult>();
  EXPECT_TRUE(ipc::ReadStatus(reader.getStatus()).ok());
  EXPECT_EQ(reader.getUsername(), "0:0");
  ASSERT_EQ(result->fds().size(), 1u);
  EXPECT_EQ(base::ReadAt(result->fds()[0].get(), 0, 7).value_or(""), "content");
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(WorkerTest, NoStatusIsInternal) {
  SendJob("", {});
  absl::StatusOr<ipc::Received> result = ipc::Receive(broker_.get(), {}, Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(absl::IsInternal(ipc::ReadStatus(result->As<schema::UserResult>().getStatus())));
}

TEST_F(WorkerTest, BrokerClosedIsQuiet) {
  broker_.Reset();
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(WorkerTest, BadFrameEndsIt) {
  ASSERT_TRUE(base::WriteAll(broker_.get(), std::string(16, 'x')).ok());
  EXPECT_EQ(ExitCode(), 1);
  EXPECT_TRUE(absl::IsUnavailable(ipc::Receive(broker_.get(), {}, Soon()).status()));
}

TEST_F(WorkerTest, SurplusFdsEndIt) {
  SendJob("0:0", {STDERR_FILENO, STDERR_FILENO});
  EXPECT_EQ(ExitCode(), 1);
}

TEST_F(WorkerTest, MalformedJobEndsItWithoutAResult) {
  // A good frame and segment table; the root pointer leads outside.
  const uint32_t frame[] = {0x31464842, 16, 0, 0, 0, 1, 0x1000, 1};
  ASSERT_TRUE(
      base::WriteAll(broker_.get(), {reinterpret_cast<const char*>(frame), sizeof(frame)}).ok());
  EXPECT_EQ(ExitCode(), 1);
  EXPECT_TRUE(absl::IsUnavailable(ipc::Receive(broker_.get(), {}, Soon()).status()));
}

// How a child ended that limits itself and then goes over the limit.
template <typename F>
int StatusOf(F run) {
  const pid_t child = fork();
  if (child == 0) {
    run();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(OwnLimits, CpuTime) {
  const int status = StatusOf([] {
    if (!LimitCpu(1).ok()) _exit(1);
    while (true) getpid();
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGXCPU);
}

TEST(OwnLimits, Memory) {
  const int status = StatusOf([] {
    if (!LimitMemory(64 << 20).ok()) _exit(1);
    std::string much(256 << 20, 'x');
    _exit(much[12345] == 'x' ? 0 : 1);
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kOutOfMemoryExit);
}

}  // namespace
}  // namespace bulkhead::worker
