#include "worker/parse/descriptor.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

const std::string kHex(64, 'a');

TEST(Digest, Grammar) {
  EXPECT_EQ(*ParseDigest("sha256:" + kHex), std::string(32, '\xaa'));
  for (const std::string& text :
       {std::string(), kHex, "sha256:" + kHex.substr(1), "sha256:" + kHex + "a",
        "sha256:" + std::string(64, 'A'), "sha512:" + kHex + kHex, "SHA256:" + kHex,
        std::string("sha256:../../../../etc/passwd"), " sha256:" + kHex, "sha256:" + kHex + "\n",
        "sha256:" + std::string(64, 'g')}) {
    EXPECT_EQ(ParseDigest(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

absl::StatusOr<ContentDescriptor> Parse(const std::string& size) {
  return ParseDescriptor(
      "x", *ParseStrictJson(absl::StrCat(
               R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:)", kHex,
               R"(","size":)", size, "}")));
}

TEST(Descriptor, Size) {
  EXPECT_EQ(Parse("12")->size, 12u);
  EXPECT_EQ(Parse("12")->media_type, MediaType::LAYER_TAR);
  for (const char* size : {"0", "-1", "1.5", "1e3", "\"12\"", "9223372036854775807",
                           "18446744073709551616", "null"}) {
    EXPECT_EQ(Parse(size).status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(Descriptor, ForeignLayers) {
  EXPECT_TRUE(IsForeignLayer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
  EXPECT_TRUE(IsForeignLayer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"));
  EXPECT_FALSE(IsForeignLayer("application/vnd.oci.image.layer.v1.tar+gzip"));
}

}  // namespace
}  // namespace bulkhead::worker
