#include "base/clean_path.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace bulkhead::base {
namespace {

struct Case {
  std::string in;
  const char* out;  // nullptr: refused
};

TEST(CleanPath, Absolute) {
  const Case cases[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"//a///b//", "/a/b"},
      {"/./a/./b/.", "/a/b"},
      {"/a/...", "/a/..."},
      {"/a..b", "/a..b"},
      {"/\xc3\xa4", "/\xc3\xa4"},
      {"", nullptr},
      {"a", nullptr},
      {"./a", nullptr},
      {"/..", nullptr},
      {"/a/../b", nullptr},
      {"/a/..", nullptr},
      {std::string("/a\0b", 4), nullptr},
      {"/a\nb", nullptr},
      {"/a\x7f", nullptr},
      {"/\x1b[2J", nullptr},
      {"/" + std::string(256, 'x'), nullptr},
      {std::string(4096, '/'), nullptr},
  };
  for (const Case& c : cases) {
    const absl::StatusOr<std::string> got = CleanAbsolutePath("mount", c.in);
    if (c.out == nullptr) {
      EXPECT_TRUE(absl::IsInvalidArgument(got.status())) << c.in;
      EXPECT_TRUE(absl::StartsWith(got.status().message(), "mount")) << got.status();
    } else {
      ASSERT_TRUE(got.ok()) << c.in << got.status();
      EXPECT_EQ(*got, c.out);
    }
  }
}

TEST(CleanPath, Lengths) {
  EXPECT_TRUE(CleanAbsolutePath("f", "/" + std::string(255, 'x')).ok());
  std::string longest;
  while (longest.size() + 2 <= kMaxPathBytes - 1) longest += "/a";
  EXPECT_TRUE(CleanAbsolutePath("f", longest).ok());
  EXPECT_FALSE(CleanAbsolutePath("f", longest + "/a").ok());
}

TEST(CleanPath, Relative) {
  const Case cases[] = {
      {"a", "a"},          {"a//b/", "a/b"},  {"./a", "a"},     {"", nullptr}, {".", nullptr},
      {"./", nullptr},     {"/a", nullptr},   {"../a", nullptr}, {"a/..", nullptr},
      {"a\tb", nullptr},
  };
  for (const Case& c : cases) {
    const absl::StatusOr<std::string> got = CleanRelativePath("log_path", c.in);
    EXPECT_EQ(got.ok(), c.out != nullptr) << c.in;
    if (c.out != nullptr) {
      EXPECT_EQ(got.value_or(""), c.out);
    }
  }
}

TEST(CleanPath, IsClean) {
  EXPECT_TRUE(IsCleanAbsolutePath("/"));
  EXPECT_TRUE(IsCleanAbsolutePath("/a/b"));
  for (const char* bad : {"", "a", "/a/", "//a", "/a/./b", "/a/../b", "/a\n"}) {
    EXPECT_FALSE(IsCleanAbsolutePath(bad)) << bad;
  }
}

}  // namespace
}  // namespace bulkhead::base
