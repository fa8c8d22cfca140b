#include "worker/user/lookup.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/mount.h"
#include "worker/user/rootfs_fixture.h"

namespace bulkhead::worker {
namespace {

using testing::ElementsAre;

class LookupTest : public RootfsTest {
 protected:
  void SetUp() override {
    RootfsTest::SetUp();
    Write("etc/passwd",
          "root:x:0:0:root:/root:/bin/sh\n"
          "broken line\n"
          "web:x:1000:1000:Web,,,:/srv/web:/bin/false\n"
          "web:x:0:0:second:/root:/bin/sh\n"
          "big:x:4294967296:0::/:/bin/sh\n"
          "none:x:4294967295:0::/:/bin/sh\n"
          "biggid:x:7:4294967296::/:/bin/sh\n"
          "zeros:x:00:00::/:/bin/sh\n"
          "4294967296:x:0:0::/:/bin/sh\n"
          "relative:x:8:8::srv:/bin/sh\n"
          "control:x:9:9::/a\x01:/bin/sh\n");
    Write("etc/group",
          "root:x:0:\n"
          "web:x:1000:\n"
          "staff:x:50:root,web\n"
          "audio:x:29:web,other\n"
          "webby:x:51:webb\n"
          "big:x:4294967296:\n"
          "trap:x:4294967296:relative\n");
  }

  absl::StatusOr<ResolvedUser> LookUp(LookupRequest request) {
    return LookUpUser(rootfs_.get(), request);
  }
  absl::StatusCode Code(const std::string& user) { return LookUp({.user = user}).status().code(); }
};

TEST_F(LookupTest, ByName) {
  absl::StatusOr<ResolvedUser> got = LookUp({.user = "web"});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->uid, 1000u) << "the first entry counts";
  EXPECT_EQ(got->gid, 1000u);
  EXPECT_THAT(got->additional_gids, ElementsAre(29, 50, 1000));
  EXPECT_EQ(got->home, "/srv/web");
  EXPECT_EQ(got->username, "web");
}

TEST_F(LookupTest, ByNumber) {
  absl::StatusOr<ResolvedUser> got = LookUp({.user = "1000"});
  EXPECT_EQ(got->uid, 1000u);
  EXPECT_EQ(got->gid, 1000u);
  EXPECT_EQ(got->username, "web");
  EXPECT_THAT(got->additional_gids, ElementsAre(29, 50, 1000));
}

TEST_F(LookupTest, UnknownNumber) {
  absl::StatusOr<ResolvedUser> got = LookUp({.user = "4000"});
  EXPECT_EQ(got->uid, 4000u);
  EXPECT_EQ(got->gid, 0u);
  EXPECT_THAT(got->additional_gids, ElementsAre(0));
  EXPECT_EQ(got->home, "");
  EXPECT_EQ(got->username, "");
}

TEST_F(LookupTest, EmptyIsRoot) {
  absl::StatusOr<ResolvedUser> got = LookUp({.user = ""});
  EXPECT_EQ(got->uid, 0u);
  EXPECT_EQ(got->home, "/root");
  EXPECT_THAT(got->additional_gids, ElementsAre(0, 50));
}

TEST_F(LookupTest, V21Groups) {
  EXPECT_EQ(LookUp({.user = "web:staff"})->gid, 50u);
  EXPECT_EQ(LookUp({.user = "1000:7"})->gid, 7u);
  EXPECT_EQ(LookUp({.user = "4000:audio"})->gid, 29u);
  EXPECT_EQ(Code("web:nobody"), absl::StatusCode::kNotFound);
  EXPECT_EQ(Code("web:big"), absl::StatusCode::kInvalidArgument);
}

TEST_F(LookupTest, RunAsGroupWins) {
  absl::StatusOr<ResolvedUser> got =
      LookUp({.user = "web:staff", .has_gid = true, .gid = 3, .supplemental_gids = {9, 3, 9}});
  EXPECT_EQ(got->gid, 3u);
  EXPECT_THAT(got->additional_gids, ElementsAre(3, 9, 29, 50));
}

TEST_F(LookupTest, V21StrictLeavesTheImageOut) {
  absl::StatusOr<ResolvedUser> got =
      LookUp({.user = "web", .supplemental_gids = {9}, .strict = true});
  EXPECT_THAT(got->additional_gids, ElementsAre(9, 1000)) << "its own group stays";
}

TEST_F(LookupTest, V18NothingOutOfRangeBecomesRoot) {
  for (const char* user : {"big", "none", "biggid", "zeros", "4294967296", "relative"}) {
    EXPECT_EQ(Code(user), absl::StatusCode::kInvalidArgument) << user;
  }
  EXPECT_EQ(Code("ghost"), absl::StatusCode::kNotFound);
  LookupRequest request = {.user = "0", .has_gid = true, .gid = 0xffffffff};
  EXPECT_EQ(LookUp(request).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LookUp({.user = "0", .supplemental_gids = {0xffffffff}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(LookupTest, V20HomeThatIsNoPath) {
  EXPECT_EQ(LookUp({.user = "8", .strict = true})->home, "");
  EXPECT_EQ(LookUp({.user = "control"})->home, "");
}

TEST_F(LookupTest, NoFilesAtAll) {
  std::filesystem::remove_all(path_ + "/etc");
  EXPECT_EQ(LookUp({.user = "5:6"})->gid, 6u);
  EXPECT_EQ(Code("root"), absl::StatusCode::kNotFound);
}

TEST_F(LookupTest, V19SpecialFilesAreErrors) {
  std::filesystem::remove(path_ + "/etc/passwd");
  ASSERT_EQ(mkfifo((path_ + "/etc/passwd").c_str(), 0644), 0);
  EXPECT_EQ(Code("0"), absl::StatusCode::kInvalidArgument);
}

// What the real process is given: a mount that is nowhere attached.
TEST_F(LookupTest, DetachedMount) {
  absl::StatusOr<base::UniqueFd> mount = base::CloneMount(rootfs_.get(), "", false);
  if (absl::IsPermissionDenied(mount.status())) {
    GTEST_SKIP() << "needs CAP_SYS_ADMIN to clone a mount";
  }
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(LookUpUser(mount->get(), {.user = "web"})->uid, 1000u);
}

}  // namespace
}  // namespace bulkhead::worker
