#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "security/layer_ids.h"
#include "worker/layer/test_tar.h"
#include "worker/unpack/test_layer_sandbox.h"

namespace bulkhead::worker {

// A new layer beside a canary that no tar may reach: a directory, or an image that is mounted in
// its place. fsck.erofs looks at every image.
class LayerTest : public testing::TestWithParam<Driver> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to map ids and to mount";
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    char path[] = "/var/tmp/bulkhead-unpack-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    base_ = path;
    std::filesystem::permissions(base_, std::filesystem::perms(0755));
    layer_ = base_ + "/layer";
    std::filesystem::create_directory(layer_);
    std::filesystem::create_directory(base_ + "/outside");
    chmod((base_ + "/outside").c_str(), 0777);
    std::ofstream(canary()) << "canary";
    chmod(canary().c_str(), 0666);
    ASSERT_EQ(stat(canary().c_str(), &before_), 0);
  }

  void TearDown() override {
    if (base_.empty()) return;
    ExpectCanaryUntouched();
    umount2(layer_.c_str(), MNT_DETACH);
    std::filesystem::remove_all(base_);
    unlink(image().c_str());
  }

  std::string image() const { return base_ + ".erofs"; }
  std::string canary() const { return base_ + "/outside/canary"; }

  void ExpectCanaryUntouched() {
    struct stat now;
    ASSERT_EQ(stat(canary().c_str(), &now), 0);
    EXPECT_EQ(now.st_ino, before_.st_ino);
    EXPECT_EQ(now.st_mode, before_.st_mode);
    EXPECT_EQ(now.st_uid, before_.st_uid);
    EXPECT_EQ(now.st_nlink, 1u);
    EXPECT_EQ(now.st_mtim.tv_sec, before_.st_mtim.tv_sec);
    EXPECT_EQ(now.st_mtim.tv_nsec, before_.st_mtim.tv_nsec);
    int files = 0;
    for (auto& each : std::filesystem::recursive_directory_iterator(base_)) {
      if (each.path().string().rfind(layer_ + "/", 0) != 0) ++files;
    }
    EXPECT_EQ(files, 3) << "layer, outside, outside/canary and nothing else";
  }

  SandboxedUnpack Unpack(const std::string& tar,
                         LayerLimits limits = {.max_bytes = 1 << 30, .max_entries = 10000}) {
    if (GetParam() == Driver::kDir) return UnpackInNamespace(tar, layer_, limits);
    umount2(layer_.c_str(), MNT_DETACH);
    SandboxedUnpack got = PackAsNobody(tar, image(), limits);
    if (!got.status.ok()) return got;
    const std::string check = "fsck.erofs " + image() + " >/dev/null";
    EXPECT_EQ(system(check.c_str()), 0) << "fsck.erofs found fault with the image";
    const absl::Status mounted = MountImage(image(), layer_);
    EXPECT_TRUE(mounted.ok()) << mounted;
    return got;
  }

  void ExpectGood(const std::string& tar) {
    SandboxedUnpack got = Unpack(tar);
    EXPECT_TRUE(got.status.ok()) << got.status;
  }

  // Refused as dishonest, with the entry's name.
  void ExpectRefused(const std::string& tar, const std::string& name = "") {
    SandboxedUnpack got = Unpack(tar);
    EXPECT_EQ(got.status.code(), absl::StatusCode::kInvalidArgument) << got.status;
    EXPECT_NE(got.status.message().find(name), std::string::npos) << got.status;
  }

  struct stat Stat(const std::string& path) {
    struct stat st = {};
    EXPECT_EQ(lstat((layer_ + "/" + path).c_str(), &st), 0) << path;
    return st;
  }
  bool Exists(const std::string& path) {
    struct stat st;
    return lstat((layer_ + "/" + path).c_str(), &st) == 0;
  }
  std::string Read(const std::string& path) {
    std::ifstream in(layer_ + "/" + path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::string GetXattr(const std::string& path, const char* name) {
    char value[256];
    ssize_t n = lgetxattr((layer_ + "/" + path).c_str(), name, value, sizeof(value));
    return n < 0 ? "none" : std::string(value, n);
  }
  bool IsWhiteout(const std::string& path) {
    struct stat st = Stat(path);
    return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
  }

  static constexpr uid_t kShift = security::kLayerIdShift;
  std::string base_;
  std::string layer_;
  struct stat before_ = {};
};

inline std::string NameOfDriver(const testing::TestParamInfo<Driver>& info) {
  return info.param == Driver::kDir ? "Dir" : "Erofs";
}
#define BULKHEAD_BOTH_DRIVERS(suite)                                                    \
  INSTANTIATE_TEST_SUITE_P(Layer, suite, testing::Values(Driver::kDir, Driver::kErofs), \
                           NameOfDriver)

}  // namespace bulkhead::worker
