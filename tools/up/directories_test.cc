#include "tools/up/directories.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/profile.h"

namespace bulkhead::tools {
namespace {

using ::testing::HasSubstr;

class Directories : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can give directories away";
    char name[] = "/tmp/directories-test-XXXXXX";
    dir_ = mkdtemp(name);
    settings_.root_dir = dir_ + "/a/root";
    settings_.run_dir = dir_ + "/run";
  }
  void TearDown() override {
    if (!dir_.empty()) std::filesystem::remove_all(dir_);
  }
  struct stat Stat(const std::string& path) {
    struct stat st = {};
    EXPECT_EQ(stat(path.c_str(), &st), 0) << path;
    return st;
  }
  std::string dir_;
  Settings settings_;
};

TEST_F(Directories, OwnersAndModes) {
  ASSERT_TRUE(PrepareDirectories(settings_).ok());
  EXPECT_EQ(Stat(settings_.root_dir).st_mode & 07777, 0711u);
  EXPECT_EQ(Stat(settings_.root_dir + "/blobs/sha256").st_uid, security::kBrokerUid);
  EXPECT_EQ(Stat(settings_.root_dir + "/layers").st_mode & 07777, 0700u);
  EXPECT_EQ(Stat(settings_.root_dir + "/containers").st_uid, 0u);
  EXPECT_EQ(Stat(settings_.run_dir + "/monitor").st_gid, security::kBrokerUid);
  EXPECT_TRUE(PrepareDirectories(settings_).ok()) << "a second time";
}

TEST_F(Directories, RefusesLooserMode) {
  ASSERT_TRUE(PrepareDirectories(settings_).ok());
  chmod((settings_.root_dir + "/state").c_str(), 0755);
  absl::Status status = PrepareDirectories(settings_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/state: has mode 0755"));
}

TEST_F(Directories, RefusesOtherOwner) {
  ASSERT_TRUE(PrepareDirectories(settings_).ok());
  ASSERT_EQ(chown((settings_.run_dir + "/pods").c_str(), 1000, 0), 0);
  EXPECT_EQ(PrepareDirectories(settings_).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(Directories, RefusesLinkInside) {
  ASSERT_TRUE(PrepareDirectories(settings_).ok());
  std::string layers = settings_.root_dir + "/layers";
  ASSERT_EQ(rmdir(layers.c_str()), 0);
  ASSERT_EQ(symlink("/tmp", layers.c_str()), 0);
  EXPECT_FALSE(PrepareDirectories(settings_).ok());
}

TEST_F(Directories, OneLockHolder) {
  ASSERT_TRUE(PrepareDirectories(settings_).ok());
  absl::StatusOr<base::UniqueFd> first = LockDirectory(settings_.run_dir);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(LockDirectory(settings_.run_dir).status().code(),
            absl::StatusCode::kFailedPrecondition);
  first->Reset();
  EXPECT_TRUE(LockDirectory(settings_.run_dir).ok());
}

}  // namespace
}  // namespace bulkhead::tools
