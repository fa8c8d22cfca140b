#include "worker/verify/payload.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace bulkhead::worker {
namespace {

const std::string kHex(64, 'a');
const std::string kGood = absl::StrCat(
    R"({"critical":{"identity":{"docker-reference":"index.docker.io/library/busybox"},)",
    R"("image":{"docker-manifest-digest":"sha256:)", kHex,
    R"("},"type":"cosign container image signature"},"optional":{"creator":"x"}})");

TEST(Payload, AsCosignWritesIt) {
  auto said = ParsePayload(kGood);
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(said->repository, "docker.io/library/busybox");
  EXPECT_EQ(said->digest, std::string(32, '\xaa'));
}

TEST(Payload, NullOptionalAndATagAreFine) {
  auto said = ParsePayload(absl::StrReplaceAll(
      kGood, {{R"({"creator":"x"})", "null"}, {"library/busybox", "library/busybox:1.36"}}));
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(said->repository, "docker.io/library/busybox");
}

TEST(Payload, RefusesAllElse) {
  const std::pair<const char*, const char*> changes[] = {
      {"cosign container image signature", "something"},
      {"\"identity\":", "\"other\":"},
      {"\"image\":", "\"new\":1,\"image\":"},
      {"\"docker-reference\"", "\"reference\""},
      {"\"docker-manifest-digest\"", "\"extra\":1,\"docker-manifest-digest\""},
      {"sha256:", "sha512:"},
      {"aaaaaa", "AAAAAA"},
      {"index.docker.io/library/busybox", ""},
      {"index.docker.io/library/busybox", "../etc"},
      {"\"critical\":", "\"critical\":1,\"critical\":"},
      {"\"critical\"", "\"Critical\""},
      {"{\"critical\"", "\xef\xbb\xbf{\"critical\""},
  };
  for (const auto& [from, to] : changes) {
    std::string text = absl::StrReplaceAll(kGood, {{from, to}});
    ASSERT_NE(text, kGood) << from;
    EXPECT_FALSE(ParsePayload(text).ok()) << text;
  }
  EXPECT_FALSE(ParsePayload("").ok());
  EXPECT_FALSE(ParsePayload(kGood + "x").ok());
  EXPECT_FALSE(ParsePayload(std::string(kMaxPayloadBytes + 1, ' ')).ok());
}

}  // namespace
}  // namespace bulkhead::worker
