#include "worker/layer/entry_name.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

std::string Clean(absl::string_view name) {
  absl::StatusOr<EntryName> out = CleanEntryName(name);
  return out.ok() ? absl::StrCat(out->parent, "|", out->leaf) : "refused";
}

TEST(EntryName, Cleaned) {
  EXPECT_EQ(Clean("etc/passwd"), "etc|passwd");
  EXPECT_EQ(Clean("./etc//./passwd/"), "etc|passwd");
  EXPECT_EQ(Clean("/etc/passwd"), "etc|passwd");
  EXPECT_EQ(Clean("./"), "|");
  EXPECT_EQ(Clean("/"), "|");
  EXPECT_EQ(Clean("a"), "|a");
  EXPECT_EQ(Clean("a\nb/...\xff"), "a\nb|...\xff");
}

TEST(EntryName, Refused) {
  EXPECT_EQ(Clean(""), "refused");
  EXPECT_EQ(Clean(".."), "refused");
  EXPECT_EQ(Clean("a/../b"), "refused");
  EXPECT_EQ(Clean("/../etc/passwd"), "refused");
  EXPECT_EQ(Clean("a/.wh./b"), "refused");
  EXPECT_EQ(Clean("a/.wh.x/b"), "refused");
}

TEST(EntryName, Limits) {
  EXPECT_EQ(Clean(std::string(255, 'x')), absl::StrCat("|", std::string(255, 'x')));
  EXPECT_EQ(Clean(std::string(256, 'x')), "refused");
  std::string deep;
  for (int i = 0; i < 256; ++i) deep += "d/";
  EXPECT_NE(Clean(deep), "refused");
  EXPECT_EQ(Clean(deep + "d"), "refused");
  EXPECT_EQ(Clean(std::string(4097, '/')), "refused");
}

TEST(Whiteout, Kinds) {
  EXPECT_EQ(ParseWhiteout("passwd")->kind, WhiteoutKind::kNone);
  EXPECT_EQ(ParseWhiteout(".whatever")->kind, WhiteoutKind::kNone);
  EXPECT_EQ(ParseWhiteout(".wh.passwd")->kind, WhiteoutKind::kName);
  EXPECT_EQ(ParseWhiteout(".wh.passwd")->hides, "passwd");
  EXPECT_EQ(ParseWhiteout(".wh.....")->hides, "....");
  EXPECT_EQ(ParseWhiteout(".wh..wh..opq")->kind, WhiteoutKind::kOpaque);
  EXPECT_EQ(ParseWhiteout(".wh..wh.plnk")->kind, WhiteoutKind::kReserved);
}

TEST(Whiteout, OfNothingIsRefused) {
  for (absl::string_view leaf : {".wh.", ".wh..", ".wh..."}) {
    EXPECT_EQ(ParseWhiteout(leaf).status().code(), absl::StatusCode::kInvalidArgument) << leaf;
  }
}

}  // namespace
}  // namespace bulkhead::worker
