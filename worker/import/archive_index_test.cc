#include "worker/import/archive_index.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "worker/import/test_archive.h"

namespace bulkhead::worker {
namespace {

// Offsets are right whatever stands before the contents: each way to write a long name, and sizes
// around a block's.
TEST(ArchiveIndex, OffsetsInEveryTarForm) {
  std::string longer = "blobs/" + std::string(150, 'x') + "/" + std::string(200, 'y');
  std::string block(512, 'b');
  std::string big(300001, 'z');
  big[0] = 'a';
  big.back() = 'c';
  base::UniqueFd file = FileOf(
      TestTar()
          .Add({.name = "pax_global_header", .type = 'g', .contents = "19 comment=hello x\n"})
          .Add({.name = "./first", .contents = "1"})
          .Add({.name = "dir/", .type = '5'})
          .Add({.name = "short", .contents = "pax", .pax = {{"path", longer}, {"comment", big}}})
          .Add({.name = "././@LongLink", .type = 'L', .contents = longer + "2" + '\0'})
          .Add({.name = "cut", .contents = "gnu"})
          .Add({.name = "empty"})
          .Add({.name = "block", .contents = block})
          .Add({.name = "big", .contents = big})
          .Add({.name = "link", .type = '2', .link = "x", .pax = {{"linkpath", longer}}})
          .Add({.name = "\xc3\xa9", .contents = "utf8", .pax = {{"path", "\xc3\xa9"}}})
          .Add({.name = "last", .contents = "end"})
          .Finish());
  absl::StatusOr<ArchiveIndex> index = ArchiveIndex::Scan(file.get());
  ASSERT_TRUE(index.ok()) << index.status();
  auto read = [&](absl::string_view name) {
    absl::StatusOr<Extent> extent = index->Find(name);
    return extent.ok() ? At(file.get(), *extent) : "missing";
  };
  EXPECT_EQ(read("first"), "1");
  EXPECT_EQ(read(longer), "pax");
  EXPECT_EQ(read(longer + "2"), "gnu");
  EXPECT_EQ(read("empty"), "");
  EXPECT_EQ(read("block"), block);
  EXPECT_TRUE(read("big") == big);
  EXPECT_EQ(read("\xc3\xa9"), "utf8");
  EXPECT_EQ(read("last"), "end");
  EXPECT_EQ(read("link"), "pax");
  EXPECT_EQ(read("dir"), "missing");
}

// The same with what the node's own tar writes, in each of its formats.
TEST(ArchiveIndex, OffsetsInRealTars) {
  char path[] = "/tmp/bulkhead-import-XXXXXX";
  ASSERT_NE(mkdtemp(path), nullptr);
  std::string dir = path;
  std::string longer = std::string(90, 'd') + "/" + std::string(90, 'f');
  std::filesystem::create_directories(dir + "/in/" + std::string(90, 'd'));
  std::ofstream(dir + "/in/" + longer) << "long";
  std::ofstream(dir + "/in/large") << std::string(2000000, 'q') << "end";
  std::ofstream(dir + "/in/small") << "small";
  for (const char* format : {"gnu", "pax", "ustar"}) {
    std::string tar = dir + "/" + format + ".tar";
    std::string command = "tar -C " + dir + "/in --format=" + format + " -cf " + tar + " .";
    ASSERT_EQ(std::system(command.c_str()), 0);
    base::UniqueFd file(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
    absl::StatusOr<ArchiveIndex> index = ArchiveIndex::Scan(file.get());
    ASSERT_TRUE(index.ok()) << index.status();
    EXPECT_EQ(At(file.get(), *index->Find(longer)), "long") << format;
    EXPECT_EQ(At(file.get(), *index->Find("large")), std::string(2000000, 'q') + "end") << format;
    EXPECT_EQ(At(file.get(), *index->Find("small")), "small") << format;
  }
  std::filesystem::remove_all(dir);
}

TEST(ArchiveIndex, Links) {
  base::UniqueFd file =
      FileOf(TestTar()
                 .Add({.name = "a/layer.tar", .contents = "A"})
                 .Add({.name = "b/layer.tar", .type = '2', .link = "../a/layer.tar"})
                 .Add({.name = "c/layer.tar", .type = '1', .link = "a/layer.tar"})
                 .Add({.name = "out", .type = '2', .link = "../a/layer.tar"})
                 .Add({.name = "twice", .type = '2', .link = "b/layer.tar"})
                 .Add({.name = "self", .type = '2', .link = "self"})
                 .Finish());
  ArchiveIndex index = *ArchiveIndex::Scan(file.get());
  EXPECT_EQ(At(file.get(), *index.Find("b/layer.tar")), "A");
  EXPECT_EQ(At(file.get(), *index.Find("c/layer.tar")), "A");
  EXPECT_FALSE(index.Has("out")) << "a link that leads outside is none";
  EXPECT_FALSE(index.Has("twice")) << "one step only";
  EXPECT_FALSE(index.Has("self"));
}

TEST(ArchiveIndex, LastOfOneNameCounts) {
  base::UniqueFd file =
      FileOf(TestTar()
                 .Add({.name = "x", .contents = "1"})
                 .Add({.name = "x", .contents = "2"})
                 .Finish());
  EXPECT_EQ(At(file.get(), *ArchiveIndex::Scan(file.get())->Find("x")), "2");
}

TEST(ArchiveIndex, Refused) {
  auto code = [](const std::string& bytes) {
    base::UniqueFd file = FileOf(bytes);
    absl::Status status = ArchiveIndex::Scan(file.get()).status();
    EXPECT_FALSE(status.message().empty());
    return status.code();
  };
  EXPECT_EQ(code(std::string("\x1f\x8b", 2) + std::string(600, 'x')),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(std::string(600, 'x')), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("PK\x03\x04" + std::string(600, 'x')), absl::StatusCode::kInvalidArgument);
  std::string tar = TestTar().Add({.name = "a", .contents = std::string(5000, 'x')}).unfinished();
  EXPECT_EQ(code(tar.substr(0, 2000)), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(TestTar()
                     .Add({.name = "s",
                           .contents = "ab",
                           .pax = {{"GNU.sparse.major", "0"},
                                   {"GNU.sparse.minor", "1"},
                                   {"GNU.sparse.size", "1048576"},
                                   {"GNU.sparse.map", "4096,1,8192,1"}}})
                     .Finish()),
            absl::StatusCode::kInvalidArgument)
      << "what lies there is not the file";
}

}  // namespace
}  // namespace bulkhead::worker
