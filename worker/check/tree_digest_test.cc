#include "worker/check/tree_digest.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/unique_fd.h"

namespace bulkhead::worker {
namespace {

namespace fs = std::filesystem;

class TreeDigest : public testing::Test {
 protected:
  TreeDigest() {
    char name[] = "/tmp/treedigestXXXXXX";
    top_ = mkdtemp(name);
    Fill(top_);
  }
  ~TreeDigest() override { fs::remove_all(top_); }

  static void Fill(const fs::path& top) {
    fs::create_directories(top / "etc/deep");
    std::ofstream(top / "etc/passwd") << "root";
    std::ofstream(top / "etc/empty");
    fs::create_symlink("/nowhere", top / "link");
    fs::create_hard_link(top / "etc/passwd", top / "hard");
    mkfifo((top / "fifo").c_str(), 0600);
    for (const char* name : {"etc/deep", "etc/passwd", "etc/empty", "fifo", "etc", "."}) {
      Touch(top / name, 1000);
    }
    Touch(top / "link", 1000);
  }
  static void Touch(const fs::path& path, time_t when) {
    const timespec times[2] = {{when, 0}, {when, 0}};
    EXPECT_EQ(utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
  }
  static std::string Digest(const fs::path& top) {
    base::UniqueFd fd(open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto digest = HashTree(fd.get());
    EXPECT_TRUE(digest.ok()) << digest.status();
    return digest.ok() ? digest->digest : "";
  }
  // Each change is made to a tree like the first, and must show.
  void ExpectSeen(const std::function<void(const fs::path&)>& change) {
    char name[] = "/tmp/treedigestXXXXXX";
    fs::path other = mkdtemp(name);
    Fill(other);
    EXPECT_EQ(Digest(other), Digest(top_)) << "alike";
    change(other);
    Touch(other / "etc", 1000);
    Touch(other, 1000);
    EXPECT_NE(Digest(other), Digest(top_));
    fs::remove_all(other);
  }
  fs::path top_;
};

TEST_F(TreeDigest, SeesEveryChange) {
  ExpectSeen([](const fs::path& top) {  // one byte, with the old time
    std::ofstream(top / "etc/passwd") << "toor";
    Touch(top / "etc/passwd", 1000);
  });
  ExpectSeen([](const fs::path& top) { chmod((top / "etc/empty").c_str(), 04755); });
  ExpectSeen([](const fs::path& top) { Touch(top / "etc/empty", 1001); });
  ExpectSeen([](const fs::path& top) { fs::remove(top / "etc/deep"); });
  ExpectSeen([](const fs::path& top) { fs::rename(top / "etc/deep", top / "etc/deeq"); });
  ExpectSeen([](const fs::path& top) {
    fs::remove(top / "link");
    fs::create_symlink("/nowherf", top / "link");
    Touch(top / "link", 1000);
  });
  ExpectSeen([](const fs::path& top) {  // the same bytes, no longer the same file
    fs::remove(top / "hard");
    fs::copy_file(top / "etc/passwd", top / "hard");
    Touch(top / "hard", 1000);
  });
  ExpectSeen([](const fs::path& top) {
    fs::remove(top / "fifo");
    std::ofstream(top / "fifo");
    chmod((top / "fifo").c_str(), 0600);
    Touch(top / "fifo", 1000);
  });
  if (geteuid() == 0) {
    ExpectSeen(
        [](const fs::path& top) { EXPECT_EQ(lchown((top / "etc/empty").c_str(), 5, 0), 0); });
  }
}

TEST_F(TreeDigest, FileIsItsSha256) {
  base::UniqueFd fd(open((top_ / "etc/passwd").c_str(), O_RDONLY | O_CLOEXEC));
  auto hashed = HashFile(fd.get());
  ASSERT_TRUE(hashed.ok());
  EXPECT_EQ(hashed->bytes, 4u);
  EXPECT_EQ(hashed->digest.substr(0, 4), "\x48\x13\x49\x4d");  // SHA-256 of "root"
}

}  // namespace
}  // namespace bulkhead::worker
