#include <gtest/gtest.h>

#include "worker/parse/sha256.h"
#include "worker/unpack/test_layer_fixture.h"

namespace bulkhead::worker {
namespace {

class UnpackTest : public LayerTest {};
BULKHEAD_BOTH_DRIVERS(UnpackTest);

TEST_P(UnpackTest, EveryKindOfInode) {
  SandboxedUnpack got = Unpack(
      TestTar()
          .Add({.name = "etc/", .type = '5', .mode = 0750, .uid = 1, .gid = 2, .mtime = 111})
          .Add({.name = "etc/file", .contents = "hello", .mode = 0640, .uid = 7, .mtime = 222})
          .Add({.name = "etc/link", .type = '2', .link = "file", .mtime = 333})
          .Add({.name = "etc/hard", .type = '1', .link = "etc/file"})
          .Add({.name = "run/fifo", .type = '6', .mode = 0622, .gid = 5})
          .Add({.name = "empty"})
          .Finish());
  ASSERT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.unpacked.bytes, 9u) << "the file and the link's target";
  EXPECT_EQ(got.unpacked.entries, 7u) << "run was implied";
  struct stat etc = Stat("etc");
  EXPECT_EQ(etc.st_mode, S_IFDIR | 0750u);
  EXPECT_EQ(etc.st_uid, kShift + 1);
  EXPECT_EQ(etc.st_gid, kShift + 2);
  EXPECT_EQ(etc.st_mtime, 111);
  struct stat file = Stat("etc/file");
  EXPECT_EQ(file.st_mode, S_IFREG | 0640u);
  EXPECT_EQ(file.st_uid, kShift + 7);
  EXPECT_EQ(file.st_mtime, 222);
  EXPECT_EQ(Read("etc/file"), "hello");
  EXPECT_EQ(Stat("etc/hard").st_ino, file.st_ino);
  EXPECT_TRUE(S_ISLNK(Stat("etc/link").st_mode));
  EXPECT_EQ(Stat("etc/link").st_mtime, 333);
  EXPECT_EQ(Stat("run").st_mode, S_IFDIR | 0755u);
  EXPECT_EQ(Stat("run").st_uid, kShift);
  EXPECT_EQ(Stat("run/fifo").st_mode, S_IFIFO | 0622u);
  EXPECT_EQ(Stat("run/fifo").st_gid, kShift + 5);
  EXPECT_EQ(Read("empty"), "");
}

TEST_P(UnpackTest, TakesTheDirectoryOver) {
  ExpectGood(TestTar().Finish());
  EXPECT_EQ(Stat("").st_uid, kShift);
  EXPECT_EQ(Stat("").st_gid, kShift);
  EXPECT_EQ(Stat("").st_mode, S_IFDIR | 0755u);
}

TEST_P(UnpackTest, RootEntryGivesTheRootItsAttributes) {
  ExpectGood(TestTar()
                 .Add({.name = "./", .type = '5', .mode = 0711, .uid = 3, .mtime = 444})
                 .Add({.name = "./a"})
                 .Finish());
  EXPECT_EQ(Stat("").st_mode, S_IFDIR | 0711u);
  EXPECT_EQ(Stat("").st_uid, kShift + 3);
  EXPECT_EQ(Stat("").st_mtime, 444);
}

TEST_P(UnpackTest, LongAndForeignNames) {
  std::string longer = "d/" + std::string(200, 'x') + "/" + std::string(250, 'y');
  std::string utf8 = "\xc3\xa9t\xc3\xa9";
  ExpectGood(TestTar()
                 .Add({.name = "short", .contents = "pax", .pax = {{"path", longer}}})
                 .Add({.name = "././@LongLink", .type = 'L', .contents = longer + "2" + '\0'})
                 .Add({.name = "cut", .contents = "gnu"})
                 .Add({.name = "s", .contents = "utf8", .pax = {{"path", utf8}}})
                 .Add({.name = "latin\xe9", .contents = "latin"})
                 .Add({.name = "s", .contents = "bad", .pax = {{"path", "bad\xff\xfe"}}})
                 .Add({.name = "l", .type = '2', .link = "s", .pax = {{"linkpath", utf8}}})
                 .Finish());
  EXPECT_EQ(Read(longer), "pax");
  EXPECT_EQ(Read(longer + "2"), "gnu");
  EXPECT_EQ(Read(utf8), "utf8");
  EXPECT_EQ(Read("latin\xe9"), "latin");
  EXPECT_EQ(Read("bad\xff\xfe"), "bad");
  EXPECT_EQ(Read("l"), "utf8") << "followed through the non-ASCII target";
}

TEST_P(UnpackTest, LargeFileAcrossBuffers) {
  std::string contents(3 << 20, 'z');
  contents[2 << 20] = 'q';
  ExpectGood(TestTar().Add({.name = "big", .contents = contents}).Finish());
  EXPECT_TRUE(Read("big") == contents);
}

TEST_P(UnpackTest, SparseFile) {
  // GNU.sparse 0.1: two pieces of one byte in a file of 1 MiB.
  ExpectGood(TestTar()
                 .Add({.name = "x",
                       .contents = "ab",
                       .pax = {{"GNU.sparse.major", "0"},
                               {"GNU.sparse.minor", "1"},
                               {"GNU.sparse.name", "sparse"},
                               {"GNU.sparse.size", "1048576"},
                               {"GNU.sparse.map", "4096,1,8192,1"}}})
                 .Finish());
  std::string got = Read("sparse");
  ASSERT_EQ(got.size(), 1048576u);
  EXPECT_EQ(got[4096], 'a');
  EXPECT_EQ(got[8192], 'b');
}

TEST_P(UnpackTest, SparseFileCountsInFull) {
  SandboxedUnpack got = Unpack(TestTar()
                                   .Add({.name = "x",
                                         .contents = "ab",
                                         .pax = {{"GNU.sparse.major", "0"},
                                                 {"GNU.sparse.minor", "1"},
                                                 {"GNU.sparse.size", "1099511627776"},
                                                 {"GNU.sparse.map", "4096,1,8192,1"}}})
                                   .Finish());
  EXPECT_EQ(got.status.code(), absl::StatusCode::kResourceExhausted) << got.status;
}

TEST_P(UnpackTest, LaterEntryReplacesEarlier) {
  ExpectGood(TestTar()
                 .Add({.name = "file", .contents = "one"})
                 .Add({.name = "file", .contents = "2"})
                 .Add({.name = "was_file", .contents = "x"})
                 .Add({.name = "was_file/", .type = '5', .mode = 0700})
                 .Add({.name = "was_dir/", .type = '5', .mode = 0700})
                 .Add({.name = "was_dir/inner", .contents = "x"})
                 .Add({.name = "was_dir", .contents = "file"})
                 .Add({.name = "was_link", .type = '2', .link = "file"})
                 .Add({.name = "was_link", .contents = "own"})
                 .Add({.name = "again/", .type = '5', .mode = 0700})
                 .Add({.name = "again/kept", .contents = "k"})
                 .Add({.name = "again/", .type = '5', .mode = 0711})
                 .Finish());
  EXPECT_EQ(Read("file"), "2");
  EXPECT_EQ(Stat("was_file").st_mode, S_IFDIR | 0700u);
  EXPECT_EQ(Read("was_dir"), "file");
  EXPECT_EQ(Read("was_link"), "own");
  EXPECT_EQ(Stat("again").st_mode, S_IFDIR | 0711u);
  EXPECT_EQ(Read("again/kept"), "k");
}

TEST_P(UnpackTest, HardLinkReplacesAndNeverLosesItself) {
  ExpectGood(TestTar()
                 .Add({.name = "a", .contents = "a"})
                 .Add({.name = "b", .contents = "b"})
                 .Add({.name = "b", .type = '1', .link = "a"})
                 .Add({.name = "a", .type = '1', .link = "./a"})
                 .Add({.name = "l", .type = '2', .link = "a"})
                 .Add({.name = "m", .type = '1', .link = "l"})
                 .Finish());
  EXPECT_EQ(Read("b"), "a");
  EXPECT_EQ(Stat("a").st_nlink, 2u);
  EXPECT_TRUE(S_ISLNK(Stat("m").st_mode)) << "the link itself, not what it means";
}

TEST_P(UnpackTest, EntriesThroughALinkInsideTheLayer) {
  ExpectGood(TestTar()
                 .Add({.name = "usr/lib/", .type = '5'})
                 .Add({.name = "lib", .type = '2', .link = "usr/lib"})
                 .Add({.name = "lib/x", .contents = "x"})
                 .Finish());
  EXPECT_EQ(Read("usr/lib/x"), "x");
}

TEST_P(UnpackTest, DirectoryThatNobodyMayEnter) {
  ExpectGood(TestTar()
                 .Add({.name = "d/", .type = '5', .mode = 0})
                 .Add({.name = "d/e/", .type = '5', .mode = 0, .uid = 9})
                 .Add({.name = "d/e/f", .contents = "f", .mode = 0})
                 .Finish());
  EXPECT_EQ(Stat("d").st_mode, S_IFDIR | 0u);
  EXPECT_EQ(Stat("d/e/f").st_mode, S_IFREG | 0u);
}

TEST_P(UnpackTest, SetGroupIdDirectoryLeaksNothingToChildren) {
  ExpectGood(TestTar()
                 .Add({.name = "d/", .type = '5', .mode = 02775, .gid = 50})
                 .Add({.name = "d/implied/f", .contents = "f", .gid = 1})
                 .Finish());
  EXPECT_EQ(Stat("d").st_mode, S_IFDIR | 02775u);
  EXPECT_EQ(Stat("d/implied").st_mode, S_IFDIR | 0755u);
  EXPECT_EQ(Stat("d/implied").st_gid, kShift);
  EXPECT_EQ(Stat("d/implied/f").st_gid, kShift + 1);
}

TEST_P(UnpackTest, LimitsAreExact) {
  std::string tar = TestTar()
                        .Add({.name = "a", .contents = "12345"})
                        .Add({.name = "d/b", .contents = "123"})
                        .Finish();
  EXPECT_TRUE(Unpack(tar, {.max_bytes = 8, .max_entries = 3}).status.ok());
  EXPECT_EQ(Unpack(tar, {.max_bytes = 7, .max_entries = 100}).status.code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_P(UnpackTest, EntryLimit) {
  std::string tar = TestTar().Add({.name = "a"}).Add({.name = "d/b"}).Finish();
  EXPECT_EQ(Unpack(tar, {.max_bytes = 8, .max_entries = 2}).status.code(),
            absl::StatusCode::kResourceExhausted)
      << "the implied directory counts";
}

TEST_P(UnpackTest, RepeatedEntryCounts) {
  TestTar tar;
  for (int i = 0; i < 20; ++i) tar.Add({.name = "d/", .type = '5'});
  EXPECT_EQ(Unpack(tar.Finish(), {.max_bytes = 100, .max_entries = 19}).status.code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_P(UnpackTest, DepthLimitIsExact) {
  const std::string tar = TestTar().Add({.name = "a/b/c/d", .contents = "x"}).Finish();
  LayerLimits limits = {.max_bytes = 100, .max_entries = 100, .max_depth = 3};
  EXPECT_TRUE(Unpack(tar, limits).status.ok());
  limits.max_depth = 2;
  EXPECT_EQ(Unpack(tar, limits).status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(UnpackTest, XattrLimitIsExact) {
  const std::string tar =
      TestTar().Add({.name = "a", .pax = {{"SCHILY.xattr.user.x", "12345"}}}).Finish();
  LayerLimits limits = {.max_bytes = 100, .max_entries = 100, .max_xattr_bytes = 11};
  EXPECT_TRUE(Unpack(tar, limits).status.ok());
  limits.max_xattr_bytes = 10;
  EXPECT_EQ(Unpack(tar, limits).status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(UnpackTest, TarLimitIsExactAndCountsPadding) {
  const std::string tar = TestTar().Add({.name = "a"}).Finish() + std::string(100000, '\0');
  LayerLimits limits = {.max_bytes = 100, .max_entries = 100, .max_tar_bytes = tar.size()};
  EXPECT_TRUE(Unpack(tar, limits).status.ok());
  --limits.max_tar_bytes;
  EXPECT_EQ(Unpack(tar, limits).status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(UnpackTest, TheStreamIsHashedByWhoMakesTheLayer) {
  const std::string tar = TestTar().Add({.name = "a", .contents = "x"}).Finish() + "padding";
  Sha256 hash;
  hash.Update(tar);
  EXPECT_EQ(Unpack(tar).unpacked.diff_id, hash.Finish());
}

// A sparse map that is longer than what it describes costs no more memory than its tar has bytes.
TEST_P(UnpackTest, SparseMapOfManyEntriesInTheContents) {
  std::string map = "1000000000000\n";
  map.resize(512 * 2000, '0');
  SandboxedUnpack got = Unpack(TestTar()
                                   .Add({.name = "x",
                                         .contents = map,
                                         .pax = {{"GNU.sparse.major", "1"},
                                                 {"GNU.sparse.minor", "0"},
                                                 {"GNU.sparse.name", "s"},
                                                 {"GNU.sparse.realsize", "1099511627776"}}})
                                   .Finish());
  EXPECT_FALSE(got.status.ok());
}

TEST_P(UnpackTest, DamagedOrCutShort) {
  std::string tar = TestTar().Add({.name = "a", .contents = std::string(5000, 'x')}).unfinished();
  EXPECT_EQ(Unpack(tar.substr(0, 2000)).status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Unpack(tar.substr(0, 100)).status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Unpack("").status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Unpack(std::string(10000, 'x')).status.code(), absl::StatusCode::kDataLoss);
}

TEST_P(UnpackTest, PaddingIsReadToItsEnd) {
  ExpectGood(TestTar().Add({.name = "a"}).Finish() + std::string(1 << 20, '\0'));
}

TEST_P(UnpackTest, Whiteouts) {
  ExpectGood(TestTar()
                 .Add({.name = "etc/.wh.shadow"})
                 .Add({.name = "opaque/.wh..wh..opq"})
                 .Add({.name = "opaque/new", .contents = "n"})
                 .Add({.name = ".wh..wh.plnk", .type = '5'})
                 .Add({.name = ".wh..wh.aufs"})
                 .Finish());
  EXPECT_TRUE(IsWhiteout("etc/shadow"));
  EXPECT_FALSE(Exists("etc/.wh.shadow"));
  EXPECT_EQ(GetXattr("opaque", "user.overlay.opaque"), "y");
  EXPECT_EQ(Read("opaque/new"), "n");
  EXPECT_FALSE(Exists(".wh..wh.plnk"));
}

// A whiteout hides what lies below, never what its own layer brings, in whatever order they come.
TEST_P(UnpackTest, WhiteoutAndNewContentOfOneName) {
  ExpectGood(TestTar()
                 .Add({.name = ".wh.dir_after"})
                 .Add({.name = "dir_after/", .type = '5'})
                 .Add({.name = ".wh.implied"})
                 .Add({.name = "implied/x", .contents = "x"})
                 .Add({.name = "dir_before/y", .contents = "y"})
                 .Add({.name = ".wh.dir_before"})
                 .Add({.name = ".wh.file_after"})
                 .Add({.name = "file_after", .contents = "f"})
                 .Add({.name = "file_before", .contents = "f"})
                 .Add({.name = ".wh.file_before"})
                 .Add({.name = "opq_late/z", .contents = "z"})
                 .Add({.name = "opq_late/.wh..wh..opq"})
                 .Finish());
  for (const char* dir : {"dir_after", "implied", "dir_before", "opq_late"}) {
    EXPECT_EQ(GetXattr(dir, "user.overlay.opaque"), "y") << dir;
  }
  EXPECT_EQ(Read("implied/x"), "x");
  EXPECT_EQ(Read("dir_before/y"), "y");
  EXPECT_EQ(Read("file_after"), "f");
  EXPECT_EQ(Read("file_before"), "f");
  EXPECT_EQ(Read("opq_late/z"), "z");
}

TEST_P(UnpackTest, KeptXattrs) {
  std::string cap(20, '\0');
  cap.replace(0, 6, std::string("\x01\x00\x00\x02\x00\x20", 6));
  ExpectGood(TestTar()
                 .Add({.name = "ping",
                       .mode = 0755,
                       .uid = 5,
                       .pax = {{"SCHILY.xattr.security.capability", cap},
                               {"SCHILY.xattr.user.note", "kept"}}})
                 .Finish());
  EXPECT_EQ(GetXattr("ping", "user.note"), "kept");
  // The kernel stored it for the namespace's root alone: revision 3, and the shifted root's id.
  std::string stored = GetXattr("ping", "security.capability");
  ASSERT_EQ(stored.size(), 24u);
  EXPECT_EQ(stored.substr(4, 16), cap.substr(4));
  EXPECT_EQ(stored.substr(20), std::string("\x00\x00\x00\x80", 4));
}

}  // namespace
}  // namespace bulkhead::worker
