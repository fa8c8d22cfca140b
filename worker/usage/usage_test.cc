#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/ids.h"
#include "ipc/status_codec.h"
#include "worker/usage/job.h"

namespace bulkhead::usage {
namespace {

namespace fs = std::filesystem;

struct Usage {
  uint64_t bytes, inodes;
  bool complete;
};

class UsageTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/bulkhead-usage-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    upper_ = dir_ / id_ / "upper";
    fs::create_directories(upper_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  absl::Status Run(const std::vector<std::string>& ids, absl::Duration patience) {
    base::UniqueFd containers(open(dir_.c_str(), O_PATH | O_CLOEXEC));
    capnp::MallocMessageBuilder in, out;
    auto job = in.initRoot<schema::UsageJob>();
    auto list = job.initContainers(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) list.set(i, ids[i]);
    job.setPatienceMs(static_cast<uint32_t>(absl::ToInt64Milliseconds(patience)));
    auto result = out.initRoot<schema::UsageResult>();
    RunUsageJob(job, containers.get(), result);
    seen_.clear();
    for (const auto layer : result.asReader().getLayers()) {
      seen_.push_back({layer.getBytes(), layer.getInodes(), layer.getComplete()});
    }
    return ipc::ReadStatus(result.asReader().getStatus());
  }
  Usage Of(absl::Duration patience = absl::Seconds(30)) {
    EXPECT_TRUE(Run({id_}, patience).ok());
    return seen_.at(0);
  }
  void Write(const fs::path& path, size_t bytes) {
    std::ofstream(path) << std::string(bytes, 'x');
    sync();  // blocks are counted once they are there
  }

  const std::string id_ = base::NewId();
  fs::path dir_, upper_;
  std::vector<Usage> seen_;
};

TEST_F(UsageTest, CountsFilesAndDirectoriesButWhatALinkLeadsToNot) {
  const Usage before = Of();
  EXPECT_TRUE(before.complete);
  EXPECT_EQ(before.inodes, 1u) << "the top itself";
  fs::create_directories(upper_ / "a/b");
  Write(upper_ / "a/b/file", 100 << 10);
  fs::create_directory(dir_ / "outside");
  Write(dir_ / "outside/big", 1 << 20);
  fs::create_directory_symlink(dir_ / "outside", upper_ / "link");
  const Usage after = Of();
  EXPECT_EQ(after.inodes, 5u);
  EXPECT_GE(after.bytes - before.bytes, 100u << 10);
  EXPECT_LT(after.bytes - before.bytes, 200u << 10);
}

TEST_F(UsageTest, CountsAFileWithTwoNamesOnceAndHolesNot) {
  Write(upper_ / "one", 64 << 10);
  const Usage before = Of();
  fs::create_hard_link(upper_ / "one", upper_ / "two");
  EXPECT_EQ(Of().inodes, before.inodes);
  EXPECT_EQ(Of().bytes, before.bytes);
  Write(upper_ / "sparse", 0);
  fs::resize_file(upper_ / "sparse", 1 << 30);
  EXPECT_LT(Of().bytes, before.bytes + (64 << 10));
}

TEST_F(UsageTest, SaysWhatItCouldNotCount) {
  EXPECT_TRUE(Run({base::NewId(), id_}, absl::Seconds(30)).ok());
  EXPECT_FALSE(seen_.at(0).complete) << "there is none";
  EXPECT_TRUE(seen_.at(1).complete);
  // Deeper than it goes: by hand, as the path is longer than a path may be.
  int at = open(upper_.c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 600; ++i) {
    ASSERT_EQ(mkdirat(at, "a-rather-long-name", 0700), 0);
    const int below = openat(at, "a-rather-long-name", O_RDONLY | O_DIRECTORY);
    close(at);
    at = below;
  }
  close(at);
  const Usage deep = Of();
  EXPECT_FALSE(deep.complete);
  EXPECT_GE(deep.inodes, 500u);
}

TEST_F(UsageTest, StopsWhenItsTimeIsOver) {
  for (int i = 0; i < 2000; ++i) std::ofstream(upper_ / std::to_string(i));
  const Usage cut = Of(absl::ZeroDuration());
  EXPECT_FALSE(cut.complete);
  EXPECT_LT(cut.inodes, 2000u);
  EXPECT_EQ(Of().inodes, 2001u);
}

TEST_F(UsageTest, TakesOnlyIds) {
  EXPECT_TRUE(absl::IsInvalidArgument(Run({"../outside"}, absl::Seconds(1))));
  EXPECT_TRUE(absl::IsInvalidArgument(Run({""}, absl::Seconds(1))));
}

}  // namespace
}  // namespace bulkhead::usage
