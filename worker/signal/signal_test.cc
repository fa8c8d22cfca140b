#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "worker/signal/job.h"

namespace bulkhead::signal {
namespace {

pid_t StartSleeper() {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  return child;
}
base::UniqueFd PidfdOf(pid_t pid) {
  return base::UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}
int EndedBy(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

class SignalTest : public testing::Test {
 protected:
  absl::Status Run(base::UniqueFd fd = {}) {
    std::vector<base::UniqueFd> fds;
    if (fd) fds.push_back(std::move(fd));
    capnp::MallocMessageBuilder out;
    auto result = out.initRoot<schema::SignalResult>();
    base::UniqueFd cgroups(open(base::kCgroupMount, O_PATH | O_CLOEXEC));
    RunSignalJob(job_.asReader(), std::move(fds), cgroups.get(), result);
    return ipc::ReadStatus(result.asReader().getStatus());
  }
  std::unique_ptr<capnp::MallocMessageBuilder> message_ =
      std::make_unique<capnp::MallocMessageBuilder>();
  schema::SignalJob::Builder job_ = message_->initRoot<schema::SignalJob>();
};

TEST_F(SignalTest, ReachesTheProcessOfThePidfd) {
  const pid_t child = StartSleeper();
  job_.setSignal(SIGUSR1);
  EXPECT_TRUE(Run(PidfdOf(child)).ok());
  EXPECT_EQ(EndedBy(child), SIGUSR1);
}

TEST_F(SignalTest, AnEndedProcessIsNotFound) {
  const pid_t child = StartSleeper();
  base::UniqueFd pidfd = PidfdOf(child);
  kill(child, SIGKILL);
  EndedBy(child);
  job_.setSignal(SIGTERM);
  EXPECT_EQ(Run(std::move(pidfd)).code(), absl::StatusCode::kNotFound);
}

TEST_F(SignalTest, RefusesWhatIsNoSignalOrNoPidfd) {
  const pid_t child = StartSleeper();
  for (int number : {-1, 0, 65}) {
    job_.setSignal(number);
    EXPECT_EQ(Run(PidfdOf(child)).code(), absl::StatusCode::kInvalidArgument) << number;
  }
  job_.setSignal(SIGTERM);
  EXPECT_EQ(Run().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(base::UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC))).code(),
            absl::StatusCode::kInvalidArgument);
  kill(child, SIGKILL);
  EXPECT_EQ(EndedBy(child), SIGKILL);
}

TEST_F(SignalTest, RefusesACgroupThatIsNotTheContainers) {
  const std::string id = base::NewId();
  job_.setWholeCgroup(true);
  job_.setContainerId(id);
  for (const std::string& path : {std::string("/"), std::string("/kubepods"),
                                  absl::StrCat("/", id, "/other"), absl::StrCat("/../", id)}) {
    job_.setCgroup(path);
    EXPECT_EQ(Run().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  job_.setContainerId("");
  job_.setCgroup("/kubepods");
  EXPECT_EQ(Run().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SignalTest, KillsAWholeCgroup) {
  const absl::StatusOr<base::CgroupMode> mode = base::DetectCgroupMode();
  if (geteuid() != 0 || !mode.ok()) GTEST_SKIP() << "needs root and cgroups";
  const std::string id = base::NewId();
  const std::string path = absl::StrCat("/bulkhead-test-", getpid(), "-", id);
  base::UniqueFd root(open(base::kCgroupMount, O_PATH | O_CLOEXEC));
  const pid_t child = StartSleeper();
  for (const std::string& directory : base::CgroupDirectories(*mode, path)) {
    ASSERT_TRUE(base::MakeDirectory(root.get(), directory, 0755).ok());
    if (directory.rfind("cpuset/", 0) == 0) continue;  // it has no processors yet
    ASSERT_TRUE(base::WriteKernelFile(root.get(), absl::StrCat(directory, "/cgroup.procs"),
                                      absl::StrCat(child))
                    .ok())
        << directory;
  }
  job_.setWholeCgroup(true);
  job_.setContainerId(id);
  job_.setCgroup(path);
  job_.setCgroupMode(*mode == base::CgroupMode::kV2   ? schema::Host::CgroupMode::V2
                     : *mode == base::CgroupMode::kV1 ? schema::Host::CgroupMode::V1
                                                      : schema::Host::CgroupMode::HYBRID);
  // On v1 the job waits until none is left, so somebody must reap meanwhile. On v2 it does not
  // wait.
  ::signal(SIGCHLD, SIG_IGN);
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(waitpid(child, nullptr, 0), -1);
  EXPECT_EQ(errno, ECHILD);
  ::signal(SIGCHLD, SIG_DFL);
  EXPECT_TRUE(base::RemoveCgroup(root.get(), *mode, path).ok());
}

}  // namespace
}  // namespace bulkhead::signal
