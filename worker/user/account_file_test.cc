#include "worker/user/account_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "worker/user/rootfs_fixture.h"

namespace bulkhead::worker {
namespace {

class AccountFileTest : public RootfsTest {
 protected:
  absl::Status Read() {
    lines_.clear();
    return ForEachLine(rootfs_.get(), "etc/passwd", [&](absl::string_view line) {
      lines_.emplace_back(line);
      return true;
    });
  }
  std::vector<std::string> lines_;
};

using Lines = std::vector<std::string>;

TEST_F(AccountFileTest, Lines) {
  Write("etc/passwd", "a\n\nb");
  EXPECT_TRUE(Read().ok());
  EXPECT_EQ(lines_, (Lines{"a", "", "b"}));
  Write("etc/passwd", "");
  EXPECT_TRUE(Read().ok());
  EXPECT_TRUE(lines_.empty());
}

TEST_F(AccountFileTest, MissingHasNoLines) {
  EXPECT_TRUE(Read().ok());
  EXPECT_TRUE(lines_.empty());
}

TEST_F(AccountFileTest, StopsWhereToldTo) {
  Write("etc/passwd", "a\nb\n");
  int count = 0;
  EXPECT_TRUE(ForEachLine(rootfs_.get(), "etc/passwd", [&](absl::string_view) {
                return ++count < 1;
              }).ok());
  EXPECT_EQ(count, 1);
}

TEST_F(AccountFileTest, V19LineLimit) {
  Write("etc/passwd", std::string(kMaxAccountLineBytes, 'x') + "\nafter\n");
  EXPECT_TRUE(Read().ok());
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].size(), kMaxAccountLineBytes);
  Write("etc/passwd", std::string(kMaxAccountLineBytes + 1, 'x') + "\n");
  EXPECT_EQ(Read().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(AccountFileTest, V19FileLimitIsAnErrorNotAnEnd) {
  std::string line = std::string(1023, 'x') + "\n";
  std::string text;
  while (text.size() < kMaxAccountFileBytes) text += line;
  Write("etc/passwd", text);
  EXPECT_TRUE(Read().ok());
  EXPECT_EQ(lines_.size(), kMaxAccountFileBytes / 1024);
  Write("etc/passwd", text + "y");
  EXPECT_EQ(Read().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(AccountFileTest, V19SparseGigabyte) {
  Write("etc/passwd", "a\n");
  ASSERT_EQ(truncate((path_ + "/etc/passwd").c_str(), 1 << 30), 0);
  EXPECT_EQ(Read().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(AccountFileTest, V19FifoDoesNotBlock) {
  ASSERT_EQ(mkfifo((path_ + "/etc/passwd").c_str(), 0644), 0);
  EXPECT_EQ(Read().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AccountFileTest, V19DeviceAndDirectory) {
  std::filesystem::create_directory(path_ + "/etc/passwd");
  EXPECT_EQ(Read().code(), absl::StatusCode::kInvalidArgument);
  std::filesystem::remove(path_ + "/etc/passwd");
  if (mknod((path_ + "/etc/passwd").c_str(), S_IFCHR | 0666, 0x105) != 0) {
    GTEST_SKIP() << "needs the power to make a device node";
  }
  EXPECT_FALSE(Read().ok()) << "/dev/zero has no end";
}

TEST_F(AccountFileTest, V19LinksStayInside) {
  std::filesystem::create_symlink("/etc/passwd", path_ + "/etc/passwd");
  EXPECT_FALSE(Read().ok()) << "a link to itself, not the node's file";
  std::filesystem::remove(path_ + "/etc/passwd");
  std::filesystem::create_symlink("../../../../../../etc/hostname", path_ + "/etc/passwd");
  EXPECT_TRUE(Read().ok());
  EXPECT_TRUE(lines_.empty()) << "missing inside, whatever is outside";
  std::filesystem::remove(path_ + "/etc/passwd");
  std::filesystem::create_symlink("/proc/self/root/etc/passwd", path_ + "/etc/passwd");
  EXPECT_TRUE(Read().ok());
  EXPECT_TRUE(lines_.empty());
}

TEST_F(AccountFileTest, V19AbsoluteLinkWorks) {
  std::filesystem::create_directories(path_ + "/nix/store/x");
  Write("nix/store/x/passwd", "a\n");
  std::filesystem::create_symlink("/nix/store/x/passwd", path_ + "/etc/passwd");
  EXPECT_TRUE(Read().ok());
  EXPECT_EQ(lines_, (Lines{"a"}));
}

}  // namespace
}  // namespace bulkhead::worker
