#include "worker/parse/strict_json.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

absl::StatusCode Code(const std::string& text) { return ParseStrictJson(text).status().code(); }

std::string Nested(size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(StrictJson, Accepts) {
  EXPECT_EQ(Code(R"({"a":[1,-2,3.5,true,null,"x"],"b":{"a":1}})"), absl::StatusCode::kOk);
  EXPECT_EQ(Code(" [] \n"), absl::StatusCode::kOk);
  EXPECT_EQ(Code(Nested(32)), absl::StatusCode::kOk);
}

TEST(StrictJson, Refuses) {
  for (const char* text :
       {"", "{", "{}x", "{} {}", "nul", "\"text\"", "12", R"({"a":1,"a":1})",
        R"({"x":{"a":1,"b":2,"a":3}})", "\xef\xbb\xbf{}", R"({"a":"\u0000"})", R"({"\u0000":1})",
        "{\"a\":\"\xff\"}", "[1,]", "{'a':1}", "// x\n{}", "[NaN]"}) {
    EXPECT_EQ(Code(text), absl::StatusCode::kInvalidArgument) << text;
  }
}

// "a" and an escaped "a" are one key.
TEST(StrictJson, DuplicateKeyByEscape) {
  EXPECT_EQ(Code(R"({"a":1,"\u0061":2})"), absl::StatusCode::kInvalidArgument);
}

TEST(StrictJson, Limits) {
  EXPECT_EQ(Code(Nested(33)), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Code(Nested(100000)), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Code(std::string(1000000, '[')), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Code("[" + std::string(kMaxDocumentBytes, ' ') + "]"),
            absl::StatusCode::kResourceExhausted);
  std::string many = "[0";
  for (size_t i = 0; i < kMaxJsonValues; ++i) many += ",0";
  EXPECT_EQ(Code(many + "]"), absl::StatusCode::kResourceExhausted);
}

TEST(StrictJson, Members) {
  Json json = *ParseStrictJson(R"({"s":"x","a":[1],"o":{},"n":null})");
  EXPECT_EQ(*StringMember(json, "s"), "x");
  EXPECT_EQ(*StringMember(json, "n"), "");
  EXPECT_EQ(*StringMember(json, "missing"), "");
  EXPECT_FALSE(StringMember(json, "a").ok());
  EXPECT_EQ((*ArrayMember(json, "a"))->size(), 1u);
  EXPECT_FALSE(ArrayMember(json, "o").ok());
  EXPECT_TRUE((*ObjectMember(json, "o"))->empty());
  EXPECT_FALSE(ObjectMember(json, "s").ok());
  EXPECT_EQ(Member(*Member(json, "a"), "x"), nullptr);
}

}  // namespace
}  // namespace bulkhead::worker
