// What wicked images have tried on other runtimes: leaving the layer, and leaving power behind in
// it.
#include <gtest/gtest.h>

#include "worker/unpack/test_layer_fixture.h"

namespace bulkhead::worker {
namespace {

class V8 : public LayerTest {};   // leaving the layer
class V10 : public LayerTest {};  // whiteouts in odd places
class V11 : public LayerTest {
};  // power left behind: devices, set-id bits, capabilities, xattrs, ids
BULKHEAD_BOTH_DRIVERS(V8);
BULKHEAD_BOTH_DRIVERS(V10);
BULKHEAD_BOTH_DRIVERS(V11);

TEST_P(V8, DotDotInNames) {
  for (const char* name : {"../outside/new", "a/../../outside/new", "/../outside/new", ".."}) {
    ExpectRefused(TestTar().Add({.name = name, .contents = "x"}).Finish(), name);
    ExpectCanaryUntouched();
  }
}

TEST_P(V8, AbsoluteNameStaysInside) {
  ExpectGood(TestTar().Add({.name = canary(), .contents = "x"}).Finish());
  EXPECT_EQ(Read(canary()), "x") << "below the layer";
}

TEST_P(V8, AbsoluteSymlinkAsParent) {
  ExpectRefused(TestTar()
                    .Add({.name = "link", .type = '2', .link = base_ + "/outside"})
                    .Add({.name = "link/canary", .contents = "x"})
                    .Finish(),
                "link/canary");
}

TEST_P(V8, AbsoluteSymlinkToWhatExistsInside) {
  std::string inside = base_.substr(1) + "/outside";
  ExpectGood(TestTar()
                 .Add({.name = inside + "/", .type = '5'})
                 .Add({.name = "link", .type = '2', .link = base_ + "/outside"})
                 .Add({.name = "link/canary", .contents = "x"})
                 .Finish());
  EXPECT_EQ(Read(inside + "/canary"), "x");
}

TEST_P(V8, RelativeSymlinkUpAndOut) {
  ExpectRefused(TestTar()
                    .Add({.name = "a/b/link", .type = '2', .link = "../../../outside"})
                    .Add({.name = "a/b/link/new", .contents = "x"})
                    .Finish());
}

TEST_P(V8, ChainOfSymlinks) {
  ExpectRefused(TestTar()
                    .Add({.name = "one", .type = '2', .link = ".."})
                    .Add({.name = "two", .type = '2', .link = "one/../one/../outside"})
                    .Add({.name = "two/canary", .contents = "x"})
                    .Finish());
}

TEST_P(V8, SymlinkLeafIsReplacedNotFollowed) {
  ExpectGood(TestTar()
                 .Add({.name = "link", .type = '2', .link = canary()})
                 .Add({.name = "link", .contents = "x"})
                 .Add({.name = "rel", .type = '2', .link = "../outside/canary"})
                 .Add({.name = "rel", .contents = "y"})
                 .Finish());
  EXPECT_EQ(Read("link"), "x");
  EXPECT_EQ(Read("rel"), "y");
}

TEST_P(V8, DirectoryEntryOnASymlinkReplacesIt) {
  ExpectGood(TestTar()
                 .Add({.name = "link", .type = '2', .link = base_ + "/outside"})
                 .Add({.name = "link/", .type = '5', .mode = 0777, .uid = 1})
                 .Add({.name = "link/canary", .contents = "x"})
                 .Finish());
  EXPECT_EQ(Read("link/canary"), "x");
  EXPECT_TRUE(S_ISDIR(Stat("link").st_mode));
}

// The directory's delayed attributes must not land on what the link points to.
TEST_P(V8, DirectoryThatBecomesALink) {
  ExpectGood(TestTar()
                 .Add({.name = "victim/", .type = '5', .mode = 0700, .uid = 4})
                 .Add({.name = "d/", .type = '5', .mode = 0777, .uid = 1, .mtime = 1})
                 .Add({.name = "d/x", .contents = "x"})
                 .Add({.name = "d", .type = '2', .link = "victim"})
                 .Add({.name = "d/y", .contents = "y"})
                 .Finish());
  EXPECT_EQ(Stat("victim").st_mode, S_IFDIR | 0700u);
  EXPECT_EQ(Stat("victim").st_uid, kShift + 4);
  EXPECT_EQ(Read("victim/y"), "y") << "resolved anew after the replacement";
}

TEST_P(V8, RemovalDoesNotFollow) {
  ExpectGood(TestTar()
                 .Add({.name = "d/link", .type = '2', .link = base_ + "/outside"})
                 .Add({.name = "d/up", .type = '2', .link = "../../outside"})
                 .Add({.name = "d", .contents = "file now"})
                 .Finish());
  EXPECT_EQ(Read("d"), "file now");
}

TEST_P(V8, HardLinkOutside) {
  for (std::string target :
       {canary(), std::string("../outside/canary"), std::string("a/../../outside/canary"),
        std::string("/etc/passwd"), std::string("nothing")}) {
    ExpectRefused(TestTar().Add({.name = "hard", .type = '1', .link = target}).Finish(), "hard");
  }
}

TEST_P(V8, HardLinkThroughASymlink) {
  ExpectRefused(TestTar()
                    .Add({.name = "out", .type = '2', .link = base_ + "/outside"})
                    .Add({.name = "hard", .type = '1', .link = "out/canary"})
                    .Finish(),
                "hard");
}

TEST_P(V8, HardLinkToASymlinkThatPointsOutIsNotWrittenThrough) {
  ExpectGood(TestTar()
                 .Add({.name = "sym", .type = '2', .link = canary()})
                 .Add({.name = "hard", .type = '1', .link = "sym"})
                 .Add({.name = "hard", .contents = "x", .mode = 0777})
                 .Finish());
  EXPECT_EQ(Read("hard"), "x");
}

TEST_P(V8, HardLinkToDirectoryOrRoot) {
  ExpectRefused(TestTar()
                    .Add({.name = "d/", .type = '5'})
                    .Add({.name = "hard", .type = '1', .link = "d"})
                    .Finish());
  ExpectRefused(TestTar().Add({.name = "hard", .type = '1', .link = "."}).Finish());
}

TEST_P(V8, ParentIsAFile) {
  ExpectRefused(
      TestTar().Add({.name = "f", .contents = "x"}).Add({.name = "f/g", .contents = "y"}).Finish());
}

TEST_P(V8, MagicLinks) {
  ExpectRefused(TestTar()
                    .Add({.name = "p", .type = '2', .link = "/proc/self/root" + base_ + "/outside"})
                    .Add({.name = "p/canary", .contents = "x"})
                    .Finish());
}

TEST_P(V8, EmptySymlinkAndNonDirectoryRoot) {
  ExpectRefused(TestTar().Add({.name = "l", .type = '2'}).Finish());
  ExpectRefused(TestTar().Add({.name = "./", .type = '2', .link = "/"}).Finish());
}

TEST_P(V8, TooDeep) {
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "d/";
  ExpectRefused(TestTar().Add({.name = "x", .pax = {{"path", deep + "f"}}}).Finish());
}

TEST_P(V10, WhiteoutsInOddPlaces) {
  for (const char* name : {".wh.", ".wh..", ".wh...", "etc/.wh...", "etc/.wh..", "a/.wh./b"}) {
    ExpectRefused(TestTar().Add({.name = name}).Finish(), name);
  }
  ExpectRefused(TestTar().Add({.name = ".wh.x", .type = '5'}).Finish());
  ExpectRefused(TestTar().Add({.name = ".wh.x", .type = '2', .link = "y"}).Finish());
  EXPECT_TRUE(std::filesystem::is_directory(layer_));
}

TEST_P(V10, WhiteoutThroughASymlinkStaysInside) {
  ExpectRefused(TestTar()
                    .Add({.name = "out", .type = '2', .link = base_ + "/outside"})
                    .Add({.name = "out/.wh.canary"})
                    .Finish());
}

TEST_P(V10, OpaqueRootIsToldNotIgnored) {
  EXPECT_EQ(Unpack(TestTar().Add({.name = ".wh..wh..opq"}).Finish()).status.code(),
            absl::StatusCode::kUnimplemented);
}

TEST_P(V11, SetuidBelongsToNobodyOnTheNode) {
  ExpectGood(TestTar().Add({.name = "su", .contents = "x", .mode = 06755}).Finish());
  EXPECT_EQ(Stat("su").st_mode, S_IFREG | 06755u);
  EXPECT_EQ(Stat("su").st_uid, kShift);
  EXPECT_EQ(Stat("su").st_gid, kShift);
}

TEST_P(V11, IdsOutOfRange) {
  for (uint64_t id : {1ull << 32, (1ull << 32) + 1, 0xffffffffull, 0xfffffffeull, 0x7ffffffeull,
                      0x80000000ull, ~0ull}) {
    ExpectRefused(TestTar().Add({.name = "u", .uid = id}).Finish(), "u");
    ExpectRefused(TestTar().Add({.name = "g", .gid = id}).Finish(), "g");
  }
  ExpectRefused(TestTar().Add({.name = "p", .pax = {{"uid", "4294967296"}}}).Finish());
  ExpectRefused(TestTar().Add({.name = "p", .pax = {{"uid", "-1"}}}).Finish());
}

TEST_P(V11, HighestId) {
  ExpectGood(TestTar().Add({.name = "u", .uid = 0x7ffffffd, .gid = 0x7ffffffd}).Finish());
  EXPECT_EQ(Stat("u").st_uid, 0xfffffffdu);
}

TEST_P(V11, DeviceNodesAreLeftOut) {
  SandboxedUnpack got =
      Unpack(TestTar()
                 .Add({.name = "null", .type = '3', .device_major = 1, .device_minor = 3})
                 .Add({.name = "zero", .type = '3'})
                 .Add({.name = "sda", .type = '4', .device_major = 8})
                 .Finish());
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.unpacked.skipped_devices, 3u);
  EXPECT_TRUE(std::filesystem::is_empty(layer_)) << "a device 0:0 is no whiteout either";
}

TEST_P(V11, ForbiddenXattrs) {
  SandboxedUnpack got =
      Unpack(TestTar()
                 .Add({.name = "d/",
                       .type = '5',
                       .pax = {{"SCHILY.xattr.trusted.overlay.redirect", "/../.."},
                               {"SCHILY.xattr.user.overlay.redirect", "/../.."},
                               {"SCHILY.xattr.user.overlay.opaque", "y"},
                               {"SCHILY.xattr.security.selinux", "x"},
                               {"SCHILY.xattr.system.posix_acl_access", "x"}}})
                 .Finish());
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.unpacked.dropped_xattrs, 5u);
  EXPECT_EQ(llistxattr((layer_ + "/d").c_str(), nullptr, 0), 0);
}

TEST_P(V11, CapabilityForAnotherNamespace) {
  std::string cap(24, '\0');
  cap[0] = 1;
  cap[3] = 3;
  ExpectRefused(
      TestTar().Add({.name = "c", .pax = {{"SCHILY.xattr.security.capability", cap}}}).Finish(),
      "c");
}

}  // namespace
}  // namespace bulkhead::worker
