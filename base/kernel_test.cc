// Mounts and cgroups, on the real kernel: needs root.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "base/mount.h"
#include "base/status.h"

namespace bulkhead::base {
namespace {

TEST(Mount, DetachedFileSystemIsPrivate) {
  absl::StatusOr<UniqueFd> mount =
      MountDetached("tmpfs", {{"size", "64k"}, {"mode", "0750"}}, MOUNT_ATTR_NOSUID);
  if (absl::IsPermissionDenied(mount.status())) GTEST_SKIP() << mount.status();
  ASSERT_TRUE(mount.ok()) << mount.status();
  ASSERT_TRUE(MakeDirectory(mount->get(), "d", 0700).ok());
  EXPECT_TRUE(SetMountAttributes(mount->get(), false, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, -1).ok());
  EXPECT_FALSE(MakeDirectory(mount->get(), "e", 0700).ok()) << "read-only now";
  absl::StatusOr<UniqueFd> copy = CloneMount(mount->get(), "", true);
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_TRUE(OpenAt(copy->get(), "d", O_RDONLY, Resolve::kBeneathNoSymlinks).ok());
}

TEST(Mount, ErrorsCarryTheKernelsExplanation) {
  const absl::Status status = MountDetached("tmpfs", {{"nonsense", "1"}}, 0).status();
  if (absl::IsPermissionDenied(status)) GTEST_SKIP() << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("Unknown parameter 'nonsense'"));
}

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<CgroupMode> mode = DetectCgroupMode();
    if (!mode.ok()) GTEST_SKIP() << mode.status();
    mode_ = *mode;
    root_ = UniqueFd(open(kCgroupMount, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    path_ = absl::StrCat("/bulkhead-test-", getpid());
    for (const std::string& place : CgroupDirectories(mode_, path_)) {
      const absl::Status made = MakeDirectory(root_.get(), place, 0755);
      if (absl::IsPermissionDenied(made)) GTEST_SKIP() << made;
      ASSERT_TRUE(made.ok()) << made;
    }
  }
  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    if (root_) {
      EXPECT_TRUE(RemoveCgroup(root_.get(), mode_, path_).ok());
    }
  }
  // Where a process is enough: cpuset of v1 refuses one until it is configured.
  std::string Procs(const char* below = "") {
    const std::string place = mode_ == CgroupMode::kV2 ? path_.substr(1) : "pids" + path_;
    return absl::StrCat(place, below, "/cgroup.procs");
  }
  void StartIn(const char* below) {
    child_ = fork();
    if (child_ == 0) {
      for (;;) pause();
    }
    const absl::Status joined =
        WriteKernelFile(root_.get(), Procs(below), absl::StrCat(child_));
    ASSERT_TRUE(joined.ok()) << joined;
  }

  CgroupMode mode_ = CgroupMode::kV2;
  UniqueFd root_;
  std::string path_;
  pid_t child_ = -1;
};

TEST_F(CgroupTest, KillsAndRemovesWhatIsBelow) {
  const std::string procs = Procs("/inner");
  const std::string inner = procs.substr(0, procs.rfind('/'));
  ASSERT_TRUE(MakeDirectory(root_.get(), inner, 0755).ok());
  StartIn("/inner");
  // The child is ours to reap; until then v1 lists it no more once it is dead.
  const absl::Status killed = KillCgroup(root_.get(), mode_, path_);
  EXPECT_TRUE(killed.ok()) << killed;
  int status = 0;
  ASSERT_EQ(waitpid(child_, &status, 0), child_);
  child_ = -1;
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_TRUE(RemoveCgroup(root_.get(), mode_, path_).ok());
  for (const std::string& place : CgroupDirectories(mode_, path_)) {
    EXPECT_FALSE(std::filesystem::exists(absl::StrCat(kCgroupMount, "/", place))) << place;
  }
}

TEST_F(CgroupTest, BusyIsAnErrorAfterAMoment) {
  StartIn("");
  const absl::Status removed = RemoveCgroup(root_.get(), mode_, path_);
  EXPECT_TRUE(absl::IsInternal(removed)) << removed;
}

TEST_F(CgroupTest, MissingIsSuccessAndTheRootIsRefused) {
  EXPECT_TRUE(KillCgroup(root_.get(), mode_, "/bulkhead-none/x").ok());
  EXPECT_TRUE(RemoveCgroup(root_.get(), mode_, "/bulkhead-none/x").ok());
  for (const char* bad : {"", "/", "x", "/a/../b", "//"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(KillCgroup(root_.get(), mode_, bad))) << bad;
    EXPECT_TRUE(absl::IsInvalidArgument(RemoveCgroup(root_.get(), mode_, bad))) << bad;
  }
}

}  // namespace
}  // namespace bulkhead::base
