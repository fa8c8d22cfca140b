#include "worker/parse/signature_manifest.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

const std::string kDigest = absl::StrCat("sha256:", std::string(64, 'a'));

std::string Layer(const std::string& signature, uint64_t size = 200,
                  const std::string& type = "application/vnd.dev.cosign.simplesigning.v1+json") {
  return absl::StrCat(R"({"mediaType":")", type, R"(","size":)", size, R"(,"digest":")", kDigest,
                      R"(","annotations":{"dev.cosignproject.cosign/signature":")", signature,
                      R"("}})");
}

absl::StatusOr<std::vector<ManifestSignature>> Parse(const std::string& layers) {
  auto json = ParseStrictJson(absl::StrCat(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},)",
      R"("layers":[)", layers, "]}"));
  if (!json.ok()) return json.status();
  return ParseSignatures(*json);
}

TEST(SignatureManifest, FindsPayloadsAndSignatures) {
  std::string text = absl::Base64Escape("signed!");
  auto found = Parse(absl::StrCat(Layer(text), ",", Layer("", 1, "text/plain"), ",", Layer(text)));
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].signature, "signed!");
  EXPECT_EQ((*found)[0].payload.size, 200u);
}

TEST(SignatureManifest, TakesNoMoreThanItMust) {
  std::string text = absl::Base64Escape("s"), many = Layer(text);
  for (int i = 0; i < 40; ++i) absl::StrAppend(&many, ",", Layer(text));
  EXPECT_EQ(Parse(many)->size(), kMaxManifestSignatures);
}

TEST(SignatureManifest, RefusesAllElse) {
  for (const std::string& layers :
       {std::string(), Layer(""), Layer("***"), Layer(absl::Base64Escape("s"), 100000),
        Layer(absl::Base64Escape(std::string(3000, 's'))),
        Layer(absl::Base64Escape("s"), 1, "text/plain"),
        absl::StrCat(R"({"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json",)",
                     R"("size":1,"digest":")", kDigest, R"("})")}) {
    EXPECT_FALSE(Parse(layers).ok()) << layers;
  }
  auto index = ParseStrictJson(R"({"schemaVersion":2,"manifests":[]})");
  EXPECT_FALSE(ParseSignatures(*index).ok());
}

TEST(SignatureManifest, Tag) {
  EXPECT_TRUE(IsSignatureTag(absl::StrCat("sha256-", std::string(64, 'a'), ".sig")));
  for (const char* text : {"", "sha256-aa.sig", "latest", "sha256-.sig"}) {
    EXPECT_FALSE(IsSignatureTag(text)) << text;
  }
  EXPECT_FALSE(IsSignatureTag(absl::StrCat("sha256-", std::string(64, 'A'), ".sig")));
}

}  // namespace
}  // namespace bulkhead::worker
