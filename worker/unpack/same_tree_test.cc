// The two makers of layers against each other: whatever the tar, both make the same tree or refuse
// it alike.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/parse/sha256.h"
#include "worker/unpack/test_layer_fixture.h"

namespace bulkhead::worker {
namespace {

namespace fs = std::filesystem;

std::string Xattrs(const std::string& path) {
  char names[4096];
  const ssize_t size = llistxattr(path.c_str(), names, sizeof(names));
  std::map<std::string, std::string> found;
  for (ssize_t at = 0; at < size; at += strlen(names + at) + 1) {
    std::string value(70000, '\0');
    const ssize_t n = lgetxattr(path.c_str(), names + at, value.data(), value.size());
    found[names + at] = value.substr(0, n < 0 ? 0 : n);
  }
  return absl::StrJoin(found, ",", absl::PairFormatter("="));
}

std::string Contents(const std::string& path, const struct stat& st) {
  if (S_ISLNK(st.st_mode)) return fs::read_symlink(path).string();
  if (!S_ISREG(st.st_mode)) return absl::StrCat(st.st_rdev);
  std::ifstream in(path, std::ios::binary);
  Sha256 hash;
  hash.Update(std::string(std::istreambuf_iterator<char>(in), {}));
  return absl::CHexEscape(hash.Finish());
}

// All there is to be seen of a tree, a line a file; but for the times of directories and whiteouts,
// some of which are those of their making in one of the two.
std::vector<std::string> List(const std::string& top) {
  std::vector<std::string> lines;
  std::map<ino_t, std::string> first_names;
  std::vector<std::string> paths = {top};
  for (auto& entry : fs::recursive_directory_iterator(top)) paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    struct stat st;
    EXPECT_EQ(lstat(path.c_str(), &st), 0) << path;
    const std::string name = path.substr(top.size());
    const bool dir = S_ISDIR(st.st_mode);
    const bool timeless = dir || S_ISCHR(st.st_mode);
    const std::string& same = first_names.try_emplace(st.st_ino, name).first->second;
    lines.push_back(absl::StrCat(absl::CHexEscape(name), " ", absl::Hex(st.st_mode), " ", st.st_uid,
                                 ":", st.st_gid, " links ", st.st_nlink, " size ",
                                 dir ? 0 : st.st_size, " time ", timeless ? 0 : st.st_mtim.tv_sec,
                                 ".", timeless ? 0 : st.st_mtim.tv_nsec, " as ", dir ? "" : same,
                                 " ", Contents(path, st), " ", absl::CHexEscape(Xattrs(path))));
  }
  return lines;
}

class SameTree : public LayerTest {
 protected:
  struct Outcome {
    absl::Status status;
    std::string diff_id;
    std::vector<std::string> tree;
  };
  // A fresh place for each.
  Outcome Make(Driver driver, const std::string& tar) {
    umount2(layer_.c_str(), MNT_DETACH);
    fs::remove_all(layer_);
    fs::create_directory(layer_);
    const LayerLimits limits = {.max_bytes = 1 << 30, .max_entries = 100000};
    SandboxedUnpack got;
    if (driver == Driver::kDir) {
      got = UnpackInNamespace(tar, layer_, limits);
    } else {
      got = PackAsNobody(tar, image(), limits);
      if (got.status.ok()) {
        const std::string check = "fsck.erofs " + image() + " >/dev/null";
        EXPECT_EQ(system(check.c_str()), 0);
        EXPECT_TRUE(MountImage(image(), layer_).ok());
      }
    }
    if (!got.status.ok()) return {got.status, "", {}};
    return {got.status, got.unpacked.diff_id, List(layer_)};
  }
  void ExpectSame(const std::string& tar, const std::string& what) {
    Outcome dir = Make(Driver::kDir, tar);
    Outcome image = Make(Driver::kErofs, tar);
    EXPECT_EQ(dir.status, image.status) << what;
    EXPECT_EQ(dir.diff_id, image.diff_id) << what;
    EXPECT_EQ(dir.tree, image.tree) << what;
  }
};
INSTANTIATE_TEST_SUITE_P(Layer, SameTree, testing::Values(Driver::kDir));

TEST_P(SameTree, SizesAroundBlocks) {
  TestTar tar;
  for (size_t size : {0, 1, 100, 1983, 1984, 1985, 4031, 4032, 4033, 4095, 4096, 4097, 6144, 8191,
                      8192, 8193, 1 << 20, (1 << 20) + 1, 3000000}) {
    std::string contents(size, 'a');
    for (size_t i = 0; i < size; ++i) contents[i] = static_cast<char>(i * 131 + i / 4096);
    tar.Add({.name = absl::StrCat("f", size), .contents = contents, .mtime = size + 5});
    tar.Add(
        {.name = absl::StrCat("l", size), .type = '2', .link = std::string(size % 90 + 1, 'x')});
  }
  tar.Add({.name = "longest", .type = '2', .pax = {{"linkpath", std::string(4095, 'y')}}});
  ExpectSame(tar.Finish(), "sizes");
}

TEST_P(SameTree, DirectoriesOfManyBlocks) {
  TestTar tar;
  for (int i = 0; i < 3000; ++i) {
    tar.Add({.name = absl::StrCat("d/", i, std::string(i % 200, 'n')), .mtime = 7});
  }
  for (const char* odd : {"d/!", "d/+", "d/-", "d/...", "d/.a", "d/..a", "d/~", "d/\xff"}) {
    tar.Add({.name = odd, .contents = odd, .mtime = 8});
  }
  ExpectSame(tar.Finish(), "many");
}

TEST_P(SameTree, ExtendedAttributesSmallAndLarge) {
  const std::string large(3000, 'v');  // what ext4 takes in one block
  TestTar tar;
  for (const char* name : {"a", "b", "c"}) {
    tar.Add({.name = name,
             .contents = std::string(2000, *name),
             .pax = {{"SCHILY.xattr.user.small", name}, {"SCHILY.xattr.user.large", large}}});
  }
  tar.Add({.name = "e", .pax = {{"SCHILY.xattr.user.empty", ""}}});
  tar.Add({.name = "./", .type = '5', .pax = {{"SCHILY.xattr.user.root", large}}});
  tar.Add({.name = "d/", .type = '5', .pax = {{"SCHILY.xattr.user.dir", large}}});
  tar.Add({.name = "d/", .type = '5', .pax = {{"SCHILY.xattr.user.more", "m"}}});
  ExpectSame(tar.Finish(), "xattrs");
}

TEST_P(SameTree, SparseFiles) {
  TestTar tar;
  const std::vector<std::string> maps = {"0,1", "4096,1,8192,1", "5,1,5000,1,12287,1",
                                         "1048000,2,1048575,1", "4095,2,8000,1"};
  for (const std::string& map : maps) {
    tar.Add({.name = "x",
             .contents = std::string(std::count(map.begin(), map.end(), ',') / 2 + 1, 'a') + "bc",
             .pax = {{"GNU.sparse.major", "0"},
                     {"GNU.sparse.minor", "1"},
                     {"GNU.sparse.name", absl::StrCat("sparse", map.size())},
                     {"GNU.sparse.size", "1048576"},
                     {"GNU.sparse.map", map}}});
  }
  ExpectSame(tar.Finish(), "sparse");
}

// Random entries over few names, so that they meet: links into each other, replacements, whiteouts.
TEST_P(SameTree, RandomTars) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % n); };
    const auto name = [&] {
      std::string out;
      for (int depth = pick(3); depth >= 0; --depth) {
        absl::StrAppend(&out, out.empty() ? "" : "/", std::string(1, "abcd"[pick(4)]));
      }
      return out;
    };
    TestTar tar;
    for (int i = 0; i < 40; ++i) {
      TarEntry entry = {.name = name(),
                        .mode = static_cast<uint32_t>(random() & 07777),
                        .uid = random() % 100,
                        .gid = random() % 100,
                        .mtime = random() % 1000000};
      switch (pick(9)) {
        case 0:
        case 1:
          entry.type = '5';
          break;
        case 2:
          entry.type = '2';
          entry.link = pick(2) ? name() : absl::StrCat(pick(2) ? "/" : "../", name());
          break;
        case 3:
          entry.type = '1';
          entry.link = name();
          break;
        case 4:
          entry.type = '6';
          break;
        case 5:
          entry.name = absl::StrCat(entry.name, "/", pick(3) ? ".wh.a" : ".wh..wh..opq");
          break;
        default:
          entry.contents = std::string(pick(3) * 3000, 'x');
      }
      const std::string before = tar.unfinished();
      tar.Add(entry);
      // Entries that are refused end a tar, so they are left out: what they leave behind is no
      // layer.
      if (seed % 4 != 0 && !Make(Driver::kErofs, tar.Finish()).status.ok()) {
        tar = TestTar::FromBytes(before);
      }
    }
    ExpectSame(tar.Finish(), absl::StrCat("seed ", seed));
    if (HasFailure()) return;
  }
}

TEST_P(SameTree, TheSameTarMakesTheSameImage) {
  const std::string tar = TestTar()
                              .Add({.name = "d/a", .contents = std::string(5000, 'a')})
                              .Add({.name = "d/.wh.x"})
                              .Add({.name = "l", .type = '2', .link = "d"})
                              .Finish();
  const auto bytes = [&] {
    EXPECT_TRUE(PackAsNobody(tar, image(), {.max_bytes = 1 << 20, .max_entries = 100}).status.ok());
    std::ifstream in(image(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string first = bytes();
  EXPECT_GT(first.size(), 4096u);
  EXPECT_TRUE(first == bytes());
}

}  // namespace
}  // namespace bulkhead::worker
