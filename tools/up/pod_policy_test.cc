#include "tools/up/pod_policy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "gtest/gtest.h"
#include "security/policy/pod_policy_codec.h"

namespace bulkhead::tools {
namespace {

class PublishedPolicy : public ::testing::Test {
 protected:
  PublishedPolicy() {
    if (geteuid() != 0) return;
    char name[] = "/tmp/publish-test-XXXXXX";
    dir_ = mkdtemp(name);
    run_.Reset(open(dir_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~PublishedPolicy() override {
    if (!dir_.empty()) std::filesystem::remove_all(dir_);
  }
  void SetUp() override {
    if (dir_.empty()) GTEST_SKIP() << "workers take it from root alone";
  }
  std::string dir_;
  base::UniqueFd run_;
};

TEST_F(PublishedPolicy, IsWhatWorkersRead) {
  security::PodPolicies policies = {.node = *security::PodProfile("baseline")};
  ASSERT_TRUE(PublishPodPolicy(dir_, policies).ok());
  EXPECT_EQ(security::ReadPodPolicies(run_.get())->node.profile, "baseline");
  struct stat st;
  ASSERT_EQ(stat(absl::StrCat(dir_, "/", security::kPodPolicyFile).c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  policies.node = *security::PodProfile("restricted");
  // What an earlier attempt left, or somebody put there.
  std::filesystem::create_symlink("/tmp/elsewhere",
                                  absl::StrCat(dir_, "/", security::kPodPolicyFile, ".new"));
  ASSERT_TRUE(PublishPodPolicy(dir_, policies).ok());
  EXPECT_EQ(security::ReadPodPolicies(run_.get())->node.profile, "restricted");
  EXPECT_FALSE(std::filesystem::exists("/tmp/elsewhere"));
  WithdrawPodPolicy(dir_);
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
}

TEST_F(PublishedPolicy, TheBrokersCannotBeWritten) {
  const auto fd = PodPolicyMemfd({.node = *security::PodProfile("compatible")});
  ASSERT_TRUE(fd.ok());
  EXPECT_EQ(write(fd->get(), "x", 1), -1);
  EXPECT_NE(ftruncate(fd->get(), 0), 0);
}

}  // namespace
}  // namespace bulkhead::tools
