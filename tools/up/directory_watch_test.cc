#include "tools/up/directory_watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>

namespace bulkhead::tools {
namespace {

namespace fs = std::filesystem;

class DirectoryWatchTest : public testing::Test {
 protected:
  DirectoryWatchTest() {
    char name[] = "/tmp/bulkhead-watch-XXXXXX";
    top_ = mkdtemp(name);
  }
  ~DirectoryWatchTest() override { fs::remove_all(top_); }

  static bool Readable(const DirectoryWatch& watch) {
    pollfd wait = {watch.fd(), POLLIN, 0};
    return poll(&wait, 1, 0) == 1;
  }
  void Write(const std::string& name) { std::ofstream(top_ / name) << "x"; }

  fs::path top_;
};

TEST_F(DirectoryWatchTest, NoticesFilesThatComeChangeAndGo) {
  DirectoryWatch watch(top_);
  EXPECT_FALSE(Readable(watch));
  EXPECT_FALSE(watch.Changed());
  Write("a.conf");
  EXPECT_TRUE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
  fs::rename(top_ / "a.conf", top_ / "b.conf");
  EXPECT_TRUE(Readable(watch));
  EXPECT_TRUE(watch.Changed());
  fs::remove(top_ / "b.conf");
  EXPECT_TRUE(watch.Changed());
}

TEST_F(DirectoryWatchTest, NoticesADirectoryThatComesLater) {
  DirectoryWatch watch(top_ / "etc/cni/net.d");
  fs::create_directory(top_ / "etc");
  EXPECT_FALSE(watch.Changed());
  fs::create_directories(top_ / "etc/cni/net.d");
  EXPECT_TRUE(watch.Changed());
  Write("etc/cni/net.d/a.conf");
  EXPECT_TRUE(watch.Changed());
}

TEST_F(DirectoryWatchTest, FollowsADirectoryThatIsReplaced) {
  fs::create_directory(top_ / "net.d");
  DirectoryWatch watch(top_ / "net.d");
  fs::rename(top_ / "net.d", top_ / "old");
  EXPECT_TRUE(watch.Changed());
  Write("old/a.conf");
  EXPECT_FALSE(watch.Changed());
  fs::create_directory(top_ / "net.d");
  EXPECT_TRUE(watch.Changed());
  fs::remove(top_ / "net.d");
  EXPECT_TRUE(watch.Changed());
}

}  // namespace
}  // namespace bulkhead::tools
