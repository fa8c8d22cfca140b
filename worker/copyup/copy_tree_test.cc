#include "worker/copyup/copy_tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/fs.h"

namespace bulkhead::copyup {
namespace {

namespace fs = std::filesystem;

class CopyTree : public testing::Test {
 protected:
  CopyTree() {
    char name[] = "/tmp/copyup-test-XXXXXX";
    top_ = mkdtemp(name);
    for (const char* directory : {"image", "volume", "host"}) {
      fs::create_directory(top_ + "/" + directory);
    }
    Write("host/secret", "of the node");
  }
  ~CopyTree() override { fs::remove_all(top_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(top_ + "/" + path).parent_path());
    std::ofstream(top_ + "/" + path) << text;
  }
  std::string Read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(top_ + "/" + path).rdbuf();
    return text.str();
  }
  absl::Status Copy(const std::string& path) { return Copy(path, Budget()); }
  absl::Status Copy(const std::string& path, Budget budget) {
    base::UniqueFd rootfs(open((top_ + "/image").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    base::UniqueFd volume(open((top_ + "/volume").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return CopyDirectory(rootfs.get(), path, volume.get(), &budget);
  }
  size_t Copied() {
    return static_cast<size_t>(std::distance(fs::recursive_directory_iterator(top_ + "/volume"),
                                             fs::recursive_directory_iterator()));
  }
  struct stat Stat(const std::string& path) {
    struct stat st = {};
    EXPECT_EQ(lstat((top_ + "/" + path).c_str(), &st), 0) << path;
    return st;
  }

  std::string top_;
};

TEST_F(CopyTree, CopiesWhatIsThereAsItIs) {
  Write("image/data/a/file", "hello");
  fs::create_symlink("../elsewhere", top_ + "/image/data/link");
  chmod((top_ + "/image/data/a/file").c_str(), 04751);
  chmod((top_ + "/image/data").c_str(), 01777);
  setxattr((top_ + "/image/data/a/file").c_str(), "user.mine", "1", 1, 0);
  mkfifo((top_ + "/image/data/pipe").c_str(), 0600);
  if (geteuid() == 0) {
    ASSERT_EQ(lchown((top_ + "/image/data/a").c_str(), 1000, 2000), 0);
    ASSERT_EQ(lchown((top_ + "/image/data/link").c_str(), 7, 8), 0);
  }
  ASSERT_TRUE(Copy("data").ok());
  EXPECT_EQ(Read("volume/a/file"), "hello");
  EXPECT_EQ(Stat("volume/a/file").st_mode, S_IFREG | 04751u);
  EXPECT_EQ(Stat("volume/a/file").st_mtim.tv_nsec, Stat("image/data/a/file").st_mtim.tv_nsec);
  EXPECT_EQ(Stat("volume").st_mode, S_IFDIR | 01777u) << "the volume looks like the directory";
  EXPECT_EQ(fs::read_symlink(top_ + "/volume/link"), "../elsewhere");
  char value = 0;
  EXPECT_EQ(getxattr((top_ + "/volume/a/file").c_str(), "user.mine", &value, 1), 1);
  if (geteuid() == 0) {
    EXPECT_EQ(Stat("volume/a").st_uid, 1000u);
    EXPECT_EQ(Stat("volume/a").st_gid, 2000u);
    EXPECT_EQ(Stat("volume/link").st_uid, 7u);
  }
  EXPECT_FALSE(fs::exists(fs::symlink_status(top_ + "/volume/pipe")));
}

TEST_F(CopyTree, HolesStayHoles) {
  Write("image/data/sparse", "x");
  fs::resize_file(top_ + "/image/data/sparse", 64 << 20);
  ASSERT_TRUE(Copy("data", {.bytes = 1 << 20, .entries = 10}).ok());
  EXPECT_EQ(Stat("volume/sparse").st_size, 64 << 20);
  EXPECT_LT(Stat("volume/sparse").st_blocks, 1024);
}

TEST_F(CopyTree, NothingThereIsNoError) {
  EXPECT_TRUE(Copy("none").ok());
  EXPECT_EQ(Copied(), 0u);
}

// V14: a path of the image's never leads out of it, and nothing of the node is changed.
TEST_F(CopyTree, V14LinksOfTheImageStayInTheImage) {
  Write("image/etc/passwd", "of the image");
  fs::create_symlink(top_ + "/host", top_ + "/image/out");
  fs::create_symlink("../../../../../../etc", top_ + "/image/up");
  fs::create_symlink("/etc", top_ + "/image/inside");
  fs::create_symlink("loop", top_ + "/image/loop");
  fs::create_symlink(top_ + "/host/secret", top_ + "/image/file");
  const timespec before = Stat("host").st_mtim;
  EXPECT_TRUE(Copy("out").ok()) << "the image has no such directory";
  EXPECT_EQ(Copied(), 0u);
  EXPECT_EQ(Copy("loop").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Copy("etc/passwd").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Copy("file").ok());
  EXPECT_EQ(Copied(), 0u);
  EXPECT_TRUE(Copy("up").ok());
  EXPECT_EQ(Read("volume/passwd"), "of the image");
  fs::remove(top_ + "/volume/passwd");
  EXPECT_TRUE(Copy("inside").ok());
  EXPECT_EQ(Read("volume/passwd"), "of the image");
  EXPECT_EQ(Stat("host").st_mtim.tv_nsec, before.tv_nsec);
  EXPECT_EQ(Read("host/secret"), "of the node");
}

TEST_F(CopyTree, V14ALinkInTheDirectoryIsCopiedAsALink) {
  fs::create_directory(top_ + "/image/data");
  fs::create_directory_symlink(top_ + "/host", top_ + "/image/data/out");
  ASSERT_TRUE(Copy("data").ok());
  EXPECT_EQ(fs::read_symlink(top_ + "/volume/out"), top_ + "/host");
}

TEST_F(CopyTree, TheBudgetHoldsAtItsLimit) {
  Write("image/data/a", "12345");
  Write("image/data/b", "12345");
  ASSERT_TRUE(Copy("data", {.bytes = 10, .entries = 2}).ok());
  fs::remove(top_ + "/volume/a");
  fs::remove(top_ + "/volume/b");
  EXPECT_EQ(Copy("data", {.bytes = 9, .entries = 2}).code(), absl::StatusCode::kResourceExhausted);
  fs::remove_all(top_ + "/volume");
  fs::create_directory(top_ + "/volume");
  EXPECT_EQ(Copy("data", {.bytes = 10, .entries = 1}).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(CopyTree, DepthIsBounded) {
  std::string deep = top_ + "/image/data";
  for (int i = 0; i < 202; ++i) deep += "/d";
  fs::create_directories(deep);
  EXPECT_EQ(Copy("data").code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace bulkhead::copyup
