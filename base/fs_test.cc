#include "base/fs.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>

#include "base/status.h"

namespace bulkhead::base {
namespace {

class FsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "bulkhead-fs-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
    dir_ = UniqueFd(open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  void MakeFile(const std::string& name, absl::string_view text = "x") {
    UniqueFd fd(openat(dir_.get(), name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(fd) << name;
    ASSERT_TRUE(WriteAll(fd.get(), text).ok());
  }
  bool Exists(const std::string& name) {
    struct stat st;
    return fstatat(dir_.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  }
  void MakeDir(const std::string& name) {
    ASSERT_TRUE(MakeDirectory(dir_.get(), name, 0700).ok()) << name;
  }
  void MakeLink(const std::string& target, const std::string& name) {
    ASSERT_EQ(symlinkat(target.c_str(), dir_.get(), name.c_str()), 0);
  }

  std::string path_;
  UniqueFd dir_;
};

TEST_F(FsTest, ResolveModes) {
  MakeDir("root");
  MakeFile("outside", "out");
  MakeFile("root/outside", "in");
  MakeLink("/outside", "root/absolute");
  MakeLink("../outside", "root/relative");
  MakeLink("/proc/self/exe", "magic");
  absl::StatusOr<UniqueFd> root = OpenAt(dir_.get(), "root", O_PATH | O_DIRECTORY, Resolve::kHost);
  ASSERT_TRUE(root.ok());
  EXPECT_NE(fcntl(root->get(), F_GETFD) & FD_CLOEXEC, 0);

  for (const char* name : {"absolute", "relative", "../outside", "/etc/passwd"}) {
    EXPECT_FALSE(OpenAt(root->get(), name, O_RDONLY, Resolve::kBeneathNoSymlinks).ok()) << name;
  }
  for (const char* name : {"absolute", "relative", "../outside", "/outside"}) {
    absl::StatusOr<UniqueFd> fd = OpenAt(root->get(), name, O_RDONLY, Resolve::kInRoot);
    ASSERT_TRUE(fd.ok()) << fd.status();
    EXPECT_EQ(ReadAll(fd->get(), 10).value_or(""), "in") << name;
  }
  EXPECT_FALSE(OpenAt(dir_.get(), "magic", O_RDONLY, Resolve::kHost).ok());
  const absl::Status missing = OpenAt(dir_.get(), "nothing", O_RDONLY, Resolve::kHost).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(missing.message(), "open nothing: No such file or directory");
}

TEST_F(FsTest, ReadsWholeOrNot) {
  const std::string text(100000, 'y');
  MakeFile("f", text);
  const std::string file = path_ + "/f";
  EXPECT_EQ(ReadFile(file, text.size()).value_or(""), text);
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(file, text.size() - 1).status()));
  UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(ReadAt(fd.get(), 99998, 2).value_or(""), "yy");
  EXPECT_TRUE(absl::IsOutOfRange(ReadAt(fd.get(), 99998, 3).status()));
}

TEST_F(FsTest, MakesDirectories) {
  EXPECT_TRUE(MakeDirectories(path_ + "/a/b/c", 0700).ok());
  EXPECT_TRUE(Exists("a/b/c"));
  EXPECT_TRUE(MakeDirectories(path_ + "/a/b/c", 0700).ok());
  EXPECT_TRUE(MakeDirectories("/", 0700).ok());
  MakeFile("f");
  EXPECT_FALSE(MakeDirectories(path_ + "/f/g", 0700).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(MakeDirectory(dir_.get(), "f", 0700)));
  MakeLink("a", "link");
  EXPECT_TRUE(absl::IsAlreadyExists(MakeDirectory(dir_.get(), "link", 0700)));
}

TEST_F(FsTest, RemoveTreeDoesNotFollowLinks) {
  MakeDir("keep");
  MakeFile("keep/canary");
  MakeDir("tree");
  MakeDir("tree/sub");
  MakeFile("tree/sub/f");
  MakeLink(path_ + "/keep", "tree/absolute");
  MakeLink("../../keep", "tree/sub/relative");
  MakeLink("keep", "link");
  ASSERT_EQ(mkfifoat(dir_.get(), "tree/fifo", 0600), 0);
  EXPECT_TRUE(RemoveTree(dir_.get(), "tree").ok());
  EXPECT_FALSE(Exists("tree"));
  EXPECT_FALSE(RemoveTree(dir_.get(), "link/canary").ok());
  EXPECT_TRUE(RemoveTree(dir_.get(), "link").ok());
  EXPECT_FALSE(Exists("link"));
  EXPECT_TRUE(Exists("keep/canary"));
  EXPECT_TRUE(RemoveTree(dir_.get(), "tree").ok()) << "missing is success";
  EXPECT_TRUE(RemoveTree(dir_.get(), "no/such").ok());
  for (const char* bad : {"", ".", "..", "keep/.."}) {
    EXPECT_FALSE(RemoveTree(dir_.get(), bad).ok()) << bad;
  }
  EXPECT_TRUE(RemoveTree(dir_.get(), "keep/canary").ok());
}

TEST_F(FsTest, RemoveTreeTakesAnyDepthWithFewDescriptors) {
  MakeDir("tree");
  UniqueFd at(openat(dir_.get(), "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int depth = 0; depth < 3000; ++depth) {
    ASSERT_EQ(mkdirat(at.get(), "d", 0700), 0);
    // Its own name for what is moved up must not be in the way.
    if (depth == 0) {
      ASSERT_EQ(mkdirat(at.get(), ".bulkhead-removed-0", 0700), 0);
      ASSERT_EQ(mkdirat(at.get(), ".bulkhead-removed-0/x", 0700), 0);
      UniqueFd file(openat(at.get(), ".bulkhead-removed-1", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    UniqueFd file(openat(at.get(), "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    at.Reset(openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at);
  }
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit few = {64, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const absl::Status removed = RemoveTree(dir_.get(), "tree");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_FALSE(Exists("tree"));
}

TEST_F(FsTest, RemoveTreeTakesManyEntries) {
  MakeDir("tree");
  for (int i = 0; i < 5000; ++i) MakeFile("tree/file-with-a-longer-name-" + std::to_string(i), "");
  EXPECT_TRUE(RemoveTree(dir_.get(), "tree").ok());
  EXPECT_FALSE(Exists("tree"));
}

// Runs body in a child and returns its exit code.
template <typename F>
int InChild(F body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

TEST_F(FsTest, RemoveTreeTakesReadOnlyDirectoriesOfOurs) {
  ASSERT_EQ(fchmod(dir_.get(), 0777), 0);
  // Without root's power over modes.
  EXPECT_EQ(InChild([this] {
              if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
              if (mkdirat(dir_.get(), "tree", 0700) != 0) return 3;
              if (mkdirat(dir_.get(), "tree/sub", 0700) != 0) return 4;
              if (mkdirat(dir_.get(), "tree/sub/d", 0700) != 0) return 5;
              if (fchmodat(dir_.get(), "tree/sub", 0500, 0) != 0) return 6;
              return RemoveTree(dir_.get(), "tree").ok() ? 0 : 1;
            }),
            0);
  EXPECT_FALSE(Exists("tree"));
}

TEST_F(FsTest, RemoveTreeDoesNotCrossAMount) {
  MakeDir("tree");
  MakeDir("tree/mount");
  MakeDir("keep");
  MakeFile("keep/canary");
  constexpr int kNoMounts = 77;
  const int result = InChild([this] {
    if (unshare(CLONE_NEWNS) != 0) return kNoMounts;
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kNoMounts;
    const std::string keep = path_ + "/keep";
    const std::string inner = path_ + "/tree/mount";
    if (mount(keep.c_str(), inner.c_str(), nullptr, MS_BIND, nullptr) != 0) return kNoMounts;
    if (RemoveTree(dir_.get(), "tree").ok()) return 1;
    if (RemoveTree(dir_.get(), "tree/mount").ok()) return 2;
    return 0;
  });
  if (result == kNoMounts) GTEST_SKIP() << "no mount may be made here (needs CAP_SYS_ADMIN)";
  EXPECT_EQ(result, 0);
  EXPECT_TRUE(Exists("keep/canary"));
}

}  // namespace
}  // namespace bulkhead::base
