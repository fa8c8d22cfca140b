#include "worker/user/user_spec.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

std::string Half(const IdOrName& half) {
  return half.is_id ? absl::StrCat("#", half.id) : half.name;
}

std::string Parse(absl::string_view text) {
  absl::StatusOr<UserSpec> spec = ParseUserSpec(text);
  if (!spec.ok()) {
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
    return "refused";
  }
  return absl::StrCat(Half(spec->user), spec->has_group ? "/" : "",
                      spec->has_group ? Half(spec->group) : "");
}

TEST(UserSpec, Good) {
  EXPECT_EQ(Parse(""), "#0");
  EXPECT_EQ(Parse("0"), "#0");
  EXPECT_EQ(Parse("4294967294"), "#4294967294");
  EXPECT_EQ(Parse("1000:1001"), "#1000/#1001");
  EXPECT_EQ(Parse("www-data"), "www-data");
  EXPECT_EQ(Parse("_apt:nogroup"), "_apt/nogroup");
  EXPECT_EQ(Parse("1000:staff"), "#1000/staff");
  EXPECT_EQ(Parse("Debian-exim:0"), "Debian-exim/#0");
}

// Each of these once ended as uid 0 on some runtime.
TEST(UserSpec, V18Bad) {
  for (absl::string_view text :
       {"4294967295", "4294967296", "18446744073709551616", "-1", "+1", "0x0", " 0", "0 ", "00",
        "007", "1000:4294967296", "1000:", ":0", ":", "a:b:c", "1000a", "\xef\xbc\x91", "a b",
        "a/b", "-root", ".root", "root\n", "a,b", "1.0", "1e3"}) {
    EXPECT_EQ(Parse(text), "refused") << text;
  }
  EXPECT_EQ(Parse(absl::string_view("0\0", 2)), "refused");
  EXPECT_EQ(Parse(std::string(256, 'a')), "refused");
  EXPECT_EQ(Parse(std::string(100000, '1')), "refused");
}

}  // namespace
}  // namespace bulkhead::worker
