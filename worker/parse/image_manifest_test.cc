#include "worker/parse/image_manifest.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";
constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";
constexpr char kGzipLayer[] = "application/vnd.oci.image.layer.v1.tar+gzip";

std::string Descriptor(const std::string& type, char fill = 'a', const std::string& more = "") {
  return absl::StrCat(R"({"mediaType":")", type, R"(","size":7,"digest":"sha256:)",
                      std::string(64, fill), "\"", more, "}");
}

std::string OnPlatform(const std::string& platform, char fill) {
  return Descriptor(kOciManifest, fill, absl::StrCat(R"(,"platform":{)", platform, "}"));
}

Json Parse(const std::string& text) {
  absl::StatusOr<Json> json = ParseStrictJson(text);
  EXPECT_TRUE(json.ok()) << json.status() << text;
  return json.ok() ? *json : Json();
}

Json Index(const std::string& entries) {
  return Parse(absl::StrCat(R"({"schemaVersion":2,"manifests":[)", entries, "]}"));
}

Json Manifest(const std::string& config, const std::string& layers,
              const std::string& more = "") {
  return Parse(absl::StrCat(R"({"schemaVersion":2,"config":)", config, R"(,"layers":[)", layers,
                            "]", more, "}"));
}

std::string Own(const std::string& type) { return absl::StrCat(R"(,"mediaType":")", type, "\""); }

TEST(Classify, ByStructure) {
  EXPECT_EQ(*ClassifyDocument(Index(""), MediaType::UNKNOWN), MediaType::INDEX);
  EXPECT_EQ(*ClassifyDocument(Manifest(Descriptor(kOciConfig), ""), MediaType::UNKNOWN),
            MediaType::MANIFEST);
}

// What is said thrice (Content-Type, mediaType, structure) must be said alike.
TEST(Classify, Contradictions) {
  std::string config = Descriptor(kOciConfig);
  EXPECT_TRUE(
      ClassifyDocument(Manifest(config, "", Own(kDockerManifest)), MediaType::MANIFEST).ok());
  EXPECT_FALSE(ClassifyDocument(Manifest(config, "", Own(kOciIndex)), MediaType::UNKNOWN).ok());
  EXPECT_FALSE(ClassifyDocument(Manifest(config, "", Own(kOciIndex)), MediaType::INDEX).ok());
  EXPECT_FALSE(ClassifyDocument(Manifest(config, "", Own("text/plain")), MediaType::UNKNOWN).ok());
  EXPECT_FALSE(
      ClassifyDocument(Manifest(config, "", R"(,"mediaType":7)"), MediaType::UNKNOWN).ok());
  EXPECT_FALSE(ClassifyDocument(Manifest(config, ""), MediaType::INDEX).ok());
  EXPECT_FALSE(ClassifyDocument(Manifest(config, ""), MediaType::CONFIG).ok());
  EXPECT_FALSE(ClassifyDocument(Index(""), MediaType::MANIFEST).ok());
  EXPECT_FALSE(
      ClassifyDocument(Manifest(config, "", R"(,"manifests":[])"), MediaType::UNKNOWN).ok());
  EXPECT_FALSE(ClassifyDocument(Parse(R"({"schemaVersion":2})"), MediaType::UNKNOWN).ok());
  EXPECT_FALSE(ClassifyDocument(Parse("[]"), MediaType::UNKNOWN).ok());
}

TEST(Classify, SchemaVersions) {
  EXPECT_FALSE(
      ClassifyDocument(Parse(R"({"schemaVersion":1,"manifests":[]})"), MediaType::UNKNOWN).ok());
  EXPECT_FALSE(ClassifyDocument(Parse(R"({"manifests":[]})"), MediaType::UNKNOWN).ok());
  absl::Status one =
      ClassifyDocument(Parse(R"({"schemaVersion":1,"fsLayers":[],"history":[]})"),
                       MediaType::UNKNOWN)
          .status();
  EXPECT_NE(one.message().find("schema 1"), std::string::npos) << one;
}

TEST(Manifest, LayersInOrder) {
  absl::StatusOr<ImageManifest> got = ParseManifest(
      Manifest(Descriptor(kOciConfig, 'c'),
               absl::StrCat(Descriptor(kGzipLayer, '1'), ",",
                            Descriptor("application/vnd.oci.image.layer.v1.tar+zstd", '2'))));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->config.digest, std::string(32, '\xcc'));
  ASSERT_EQ(got->layers.size(), 2u);
  EXPECT_EQ(got->layers[0].digest, std::string(32, '\x11'));
  EXPECT_EQ(got->layers[0].media_type, MediaType::LAYER_TAR_GZIP);
  EXPECT_EQ(got->layers[1].media_type, MediaType::LAYER_TAR_ZSTD);
}

TEST(Manifest, ArtifactsAndForeignLayersAreRefused) {
  absl::Status helm =
      ParseManifest(Manifest(Descriptor("application/vnd.cncf.helm.config.v1+json"), "")).status();
  EXPECT_NE(helm.message().find("artifact"), std::string::npos) << helm;
  std::string config = Descriptor(kOciConfig);
  for (const char* type : {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                           "application/vnd.oci.image.layer.nondistributable.v1.tar",
                           "application/vnd.in-toto+json", kOciConfig, ""}) {
    EXPECT_EQ(ParseManifest(Manifest(config, Descriptor(type))).status().code(),
              absl::StatusCode::kInvalidArgument)
        << type;
  }
}

TEST(Manifest, TooManyLayers) {
  std::string layers = Descriptor(kGzipLayer);
  for (size_t i = 1; i < kMaxLayers; ++i) layers += "," + Descriptor(kGzipLayer);
  EXPECT_TRUE(ParseManifest(Manifest(Descriptor(kOciConfig), layers)).ok());
  layers += "," + Descriptor(kGzipLayer);
  EXPECT_EQ(ParseManifest(Manifest(Descriptor(kOciConfig), layers)).status().code(),
            absl::StatusCode::kResourceExhausted);
}

// The fill of the digest that was chosen, or what went wrong.
std::string Choose(const std::string& entries, const Platform& wanted) {
  absl::StatusOr<std::vector<IndexEntry>> parsed = ParseIndex(Index(entries));
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  absl::StatusOr<IndexEntry> chosen = ChoosePlatform(*parsed, wanted);
  if (!chosen.ok()) return std::string(absl::StatusCodeToString(chosen.status().code()));
  return std::string(1, "0123456789abcdef"[chosen->descriptor.digest[0] & 0xf]);
}

TEST(Platform, Choice) {
  std::string all = absl::StrCat(
      OnPlatform(R"("os":"windows","architecture":"amd64")", '1'), ",",
      OnPlatform(R"("os":"linux","architecture":"arm","variant":"v6")", '2'), ",",
      OnPlatform(R"("os":"linux","architecture":"arm","variant":"v7")", '3'), ",",
      OnPlatform(R"("os":"linux","architecture":"arm64","variant":"v8")", '4'), ",",
      OnPlatform(R"("os":"linux","architecture":"amd64","variant":"v3")", '5'), ",",
      OnPlatform(R"("os":"linux","architecture":"amd64")", '6'), ",",
      OnPlatform(R"("os":"unknown","architecture":"unknown")", '7'));
  EXPECT_EQ(Choose(all, {"amd64", ""}), "6");
  EXPECT_EQ(Choose(all, {"amd64", "v3"}), "5");
  EXPECT_EQ(Choose(all, {"amd64", "v2"}), "6");
  EXPECT_EQ(Choose(all, {"arm64", ""}), "4");
  EXPECT_EQ(Choose(all, {"arm", ""}), "3");
  EXPECT_EQ(Choose(all, {"arm", "v6"}), "2");
  EXPECT_EQ(Choose(all, {"arm", "v5"}), "NOT_FOUND");
  EXPECT_EQ(Choose(all, {"riscv64", ""}), "NOT_FOUND");
  EXPECT_EQ(Choose("", {"amd64", ""}), "NOT_FOUND");
}

TEST(Platform, OneEntryWithoutPlatformFits) {
  EXPECT_EQ(Choose(Descriptor(kOciManifest, '9'), {"amd64", ""}), "9");
  EXPECT_EQ(Choose(absl::StrCat(Descriptor(kOciManifest, '9'), ",", Descriptor(kOciManifest, '8')),
                   {"amd64", ""}),
            "NOT_FOUND");
}

TEST(Platform, ArtifactsInAnIndexAreLeftOut) {
  std::string entries = absl::StrCat(
      Descriptor("application/vnd.example.sbom", '1',
                 R"(,"platform":{"os":"linux","architecture":"amd64"})"),
      ",", OnPlatform(R"("os":"linux","architecture":"amd64")", '2'));
  EXPECT_EQ(Choose(entries, {"amd64", ""}), "2");
}

TEST(Index, BadEntries) {
  for (const std::string& entry :
       {std::string("7"), std::string("{}"), std::string("null"),
        OnPlatform(R"("os":7)", '1'),
        absl::StrCat(R"({"mediaType":")", kOciManifest, R"(","size":5000000,"digest":"sha256:)",
                     std::string(64, 'a'), "\"}")}) {
    EXPECT_FALSE(ParseIndex(Index(entry)).ok()) << entry;
  }
}

TEST(Index, Names) {
  std::string annotated = Descriptor(
      kOciManifest, '1',
      R"(,"annotations":{"io.containerd.image.name":"docker.io/library/a:1",)"
      R"("org.opencontainers.image.ref.name":"1"})");
  std::string bare = Descriptor(
      kOciManifest, '2', R"(,"annotations":{"org.opencontainers.image.ref.name":"latest"})");
  std::string full = Descriptor(
      kOciManifest, '3', R"(,"annotations":{"org.opencontainers.image.ref.name":"x/y:z"})");
  std::vector<IndexEntry> got = *ParseIndex(Index(absl::StrCat(annotated, ",", bare, ",", full)));
  EXPECT_EQ(got[0].name, "docker.io/library/a:1");
  EXPECT_EQ(got[1].name, "");
  EXPECT_EQ(got[2].name, "x/y:z");
}

}  // namespace
}  // namespace bulkhead::worker
