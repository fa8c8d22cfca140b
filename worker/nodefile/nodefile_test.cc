#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "ipc/status_codec.h"
#include "worker/nodefile/job.h"

namespace bulkhead::nodefile {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Nodefile : public testing::Test {
 protected:
  Nodefile() {
    if (geteuid() != 0) return;
    char name[] = "/tmp/nodefile-test-XXXXXX";
    root_ = mkdtemp(name);
    chmod(root_.c_str(), 0755);
  }
  ~Nodefile() override {
    if (!root_.empty()) fs::remove_all(root_);
  }
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0644) {
    const std::string path = absl::StrCat(root_, "/", name);
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  absl::Status Open(const std::string& path, const std::string& root = "") {
    capnp::MallocMessageBuilder job_message;
    auto job = job_message.initRoot<schema::NodefileJob>().initSeccompProfile();
    job.setPath(path);
    job.setRoot(root);
    return Run(job_message);
  }
  absl::Status Run(capnp::MallocMessageBuilder& job) {
    result_ = (message_ = std::make_unique<capnp::MallocMessageBuilder>())
                  ->initRoot<schema::NodefileResult>();
    fds_ = RunNodefileJob(job.getRoot<schema::NodefileJob>().asReader(), result_).fds;
    return ipc::ReadStatus(result_.asReader().getStatus());
  }

  std::string root_;
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
  schema::NodefileResult::Builder result_{nullptr};
  std::vector<base::UniqueFd> fds_;
};

TEST_F(Nodefile, AProfileComesReadOnly) {
  ASSERT_TRUE(Open(Write("profile.json", "{}")).ok());
  ASSERT_EQ(fds_.size(), 1u);
  EXPECT_EQ(*base::ReadAll(fds_[0].get(), 10), "{}");
  EXPECT_LT(write(fds_[0].get(), "x", 1), 0);
  chmod(Write("secret.json", "{}", 0600).c_str(), 0600);
  EXPECT_TRUE(Open(root_ + "/secret.json").ok());
}

// V24: a profile that is not there, empty or something else is an error, never no filter.
TEST_F(Nodefile, V24AProfileThatIsNoneIsAnError) {
  const auto code = [&](const std::string& path, const std::string& root = "") {
    const absl::Status status = Open(path, root);
    EXPECT_TRUE(fds_.empty()) << path;
    return status.code();
  };
  EXPECT_EQ(code(""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("profile.json"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(root_ + "/../etc/passwd"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(root_ + "/none.json"), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(Write("empty.json", "")), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(root_), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(Write("open.json", "{}", 0666)), absl::StatusCode::kFailedPrecondition);
  mkfifo((root_ + "/pipe.json").c_str(), 0600);
  EXPECT_EQ(code(root_ + "/pipe.json"), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code("/dev/null"), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code("/proc/self/status"), absl::StatusCode::kFailedPrecondition);
  Write("big.json", "x");
  fs::resize_file(root_ + "/big.json", kMaxFileBytes);
  EXPECT_TRUE(Open(root_ + "/big.json").ok());
  fs::resize_file(root_ + "/big.json", kMaxFileBytes + 1);
  EXPECT_EQ(code(root_ + "/big.json"), absl::StatusCode::kFailedPrecondition);
}

TEST_F(Nodefile, V24AProfileOutsideOfTheRootIsAnError) {
  const std::string outside = Write("outside.json", "{}");
  Write("seccomp/inside.json", "{}");
  const std::string root = root_ + "/seccomp";
  fs::create_symlink("inside.json", root + "/link.json");
  fs::create_symlink(outside, root + "/out.json");
  fs::create_symlink("../outside.json", root + "/up.json");
  EXPECT_TRUE(Open(root + "/inside.json", root).ok());
  EXPECT_TRUE(Open(root + "/link.json", root).ok());
  EXPECT_FALSE(Open(root + "/out.json", root).ok());
  EXPECT_FALSE(Open(root + "/up.json", root).ok());
  EXPECT_EQ(Open(outside, root).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(Open(root_ + "/seccomp2/x.json", root).ok());
}

TEST_F(Nodefile, SpecsOfSeveralDirectoriesInOrder) {
  Write("etc/b.yaml", "b");
  Write("etc/a.json", "a");
  Write("etc/a.txt", "no");
  Write("etc/.hidden.json", "no");
  Write("etc/open.json", "no", 0664);
  Write("etc/empty.yaml", "");
  fs::create_symlink("a.json", root_ + "/etc/link.json");
  Write("run/c.yaml", "c");
  ASSERT_EQ(chown(Write("run/other.yaml", "no").c_str(), 1000, 0), 0);
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::NodefileJob>().initCdiSpecs(3);
  list.set(0, root_ + "/etc");
  list.set(1, root_ + "/missing");
  list.set(2, root_ + "/run");
  ASSERT_TRUE(Run(message).ok());
  std::vector<std::string> found;
  for (auto file : result_.asReader().getFiles()) {
    found.push_back(absl::StrCat(file.getDirectory(), file.getName().cStr()));
  }
  EXPECT_THAT(found, testing::ElementsAre("0a.json", "0b.yaml", "2c.yaml"));
  ASSERT_EQ(fds_.size(), 3u);
  EXPECT_EQ(*base::ReadAll(fds_[2].get(), 10), "c");
}

TEST_F(Nodefile, ADirectoryOfOthersIsNoSourceOfDevices) {
  Write("etc/a.json", "a");
  chmod((root_ + "/etc").c_str(), 0777);
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::NodefileJob>().initCdiSpecs(1).set(0, root_ + "/etc");
  EXPECT_EQ(Run(message).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(Nodefile, ChangesNothingThatRootCouldChange) {
  const std::string path = Write("file", "x");
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!ConfineToReading().ok()) _exit(9);
    int done = 0;
    done |= open(path.c_str(), O_RDONLY | O_CLOEXEC) < 0 ? 1 : 0;
    done |= open(path.c_str(), O_WRONLY | O_CLOEXEC) >= 0 ? 2 : 0;
    done |= open((path + "2").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 4 : 0;
    done |= unlink(path.c_str()) == 0 || mkdir((path + "3").c_str(), 0700) == 0 ? 8 : 0;
    _exit(done);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

}  // namespace
}  // namespace bulkhead::nodefile
