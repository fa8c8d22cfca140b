#include "worker/import/import.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "worker/import/test_archive.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";
constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar+gzip";
const Platform kAmd64 = {"amd64", ""};

std::string Hex(const std::string& text) {
  Sha256 hash;
  hash.Update(text);
  return absl::BytesToHexString(hash.Finish());
}

std::string Descriptor(const char* type, const std::string& content, const std::string& more = "") {
  return absl::StrCat(R"({"mediaType":")", type, R"(","digest":"sha256:)", Hex(content),
                      R"(","size":)", content.size(), more, "}");
}

std::string Index(const std::string& entries) {
  return absl::StrCat(R"({"schemaVersion":2,"manifests":[)", entries, "]}");
}

std::string Manifest(const std::string& config, const std::vector<std::string>& layers) {
  std::string out = absl::StrCat(R"({"schemaVersion":2,"config":)", Descriptor(kConfigType, config),
                                 R"(,"layers":[)");
  for (size_t i = 0; i < layers.size(); ++i) {
    absl::StrAppend(&out, i ? "," : "", Descriptor(kLayerType, layers[i]));
  }
  return out + "]}";
}

std::string On(const char* architecture) {
  return absl::StrCat(R"(,"platform":{"os":"linux","architecture":")", architecture, "\"}");
}

// An OCI layout with these blobs.
std::string Layout(const std::string& index, const std::vector<std::string>& blobs) {
  TestTar tar;
  for (const std::string& blob : blobs) {
    tar.Add({.name = "blobs/sha256/" + Hex(blob), .contents = blob});
  }
  return tar.Add({.name = "index.json", .contents = index})
      .Add({.name = "oci-layout", .contents = R"({"imageLayoutVersion":"1.0.0"})"})
      .Finish();
}

struct Imported {
  base::UniqueFd file;
  std::vector<FoundSignatures> signatures;
  absl::StatusOr<std::vector<FoundImage>> images = absl::UnknownError("");
  std::string Read(const Section& section) { return At(file.get(), section.extent); }
};

Imported Import(const std::string& archive, const Platform& wanted = kAmd64) {
  Imported out;
  out.file = FileOf(archive);
  absl::StatusOr<Found> found = FindImages(out.file.get(), wanted);
  if (!found.ok()) {
    out.images = found.status();
    return out;
  }
  out.images = std::move(found->images);
  out.signatures = std::move(found->signatures);
  return out;
}

const std::string kConfig = R"({"rootfs":{"type":"layers","diff_ids":[]}})";
const std::string kManifest = Manifest(kConfig, {"layer one", "layer two"});

TEST(OciLayout, SignaturesBesideTheImage) {
  std::string payload = "what is signed";
  std::string signatures = absl::StrCat(
      R"({"schemaVersion":2,"config":{},"layers":[)",
      Descriptor("application/vnd.dev.cosign.simplesigning.v1+json", payload,
                 R"(,"annotations":{"dev.cosignproject.cosign/signature":"c2ln"})"),
      "]}");
  auto archive = [&](const char* annotation) {
    return Layout(Index(absl::StrCat(Descriptor(kManifestType, kManifest), ",",
                                     Descriptor(kManifestType, signatures,
                                                absl::StrCat(R"(,"annotations":{)", annotation,
                                                             "}")))),
                  {kManifest, kConfig, "layer one", "layer two", signatures, payload});
  };
  std::string tag =
      absl::StrCat(R"("org.opencontainers.image.ref.name":"x.io/y:sha256-)", Hex("x"), ".sig\"");
  for (const char* annotation : {R"("kind":"dev.cosignproject.cosign/sigs")", tag.c_str()}) {
    Imported got = Import(archive(annotation));
    ASSERT_TRUE(got.images.ok()) << got.images.status();
    EXPECT_EQ(got.images->size(), 1u);
    ASSERT_EQ(got.signatures.size(), 1u);
    ASSERT_EQ(got.signatures[0].payloads.size(), 1u);
    EXPECT_EQ(got.Read(got.signatures[0].payloads[0]), payload);
  }
  Imported other = Import(archive(R"("kind":"dev.cosignproject.cosign/atts")"));
  EXPECT_EQ(other.images->size(), 1u);
  EXPECT_EQ(other.signatures.size(), 0u);
}

TEST(OciLayout, OneImage) {
  Imported got = Import(Layout(
      Index(Descriptor(kManifestType, kManifest,
                       R"(,"annotations":{"org.opencontainers.image.ref.name":"x.io/y:z"})")),
      {kManifest, kConfig, "layer one", "layer two"}));
  ASSERT_TRUE(got.images.ok()) << got.images.status();
  ASSERT_EQ(got.images->size(), 1u);
  const FoundImage& image = (*got.images)[0];
  EXPECT_EQ(image.repo_tags, std::vector<std::string>{"x.io/y:z"});
  EXPECT_EQ(got.Read(image.manifest), kManifest);
  EXPECT_EQ(absl::BytesToHexString(image.manifest.digest), Hex(kManifest));
  EXPECT_EQ(image.manifest.media_type, MediaType::MANIFEST);
  EXPECT_EQ(got.Read(image.config), kConfig);
  ASSERT_EQ(image.layers.size(), 2u);
  EXPECT_EQ(got.Read(image.layers[0]), "layer one");
  EXPECT_EQ(got.Read(image.layers[1]), "layer two");
  EXPECT_EQ(image.layers[1].media_type, MediaType::LAYER_TAR_GZIP);
}

TEST(OciLayout, NestedIndexAndPlatforms) {
  std::string arm = Manifest(kConfig, {"arm layer"});
  std::string nested = Index(absl::StrCat(Descriptor(kManifestType, arm, On("arm64")), ",",
                                          Descriptor(kManifestType, kManifest, On("amd64"))));
  std::string layout = Layout(Index(Descriptor(kIndexType, nested)),
                              {nested, arm, kManifest, kConfig, "layer one", "layer two",
                               "arm layer"});
  EXPECT_EQ(Import(layout).images->at(0).layers.size(), 2u);
  EXPECT_EQ(Import(layout, {"arm64", ""}).images->at(0).layers.size(), 1u);
  EXPECT_EQ(Import(layout, {"s390x", ""}).images.status().code(), absl::StatusCode::kNotFound);
  std::string deeper = Index(Descriptor(kIndexType, nested));
  EXPECT_EQ(Import(Layout(Index(Descriptor(kIndexType, deeper)), {deeper, nested}))
                .images.status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(OciLayout, SeveralImages) {
  std::string other = Manifest(kConfig, {"layer one"});
  std::string layout =
      Layout(Index(absl::StrCat(Descriptor(kManifestType, kManifest), ",",
                                Descriptor(kManifestType, other, On("amd64")), ",",
                                Descriptor(kManifestType, "absent", On("s390x")))),
             {kManifest, other, kConfig, "layer one", "layer two"});
  EXPECT_EQ(Import(layout).images->size(), 2u);
}

TEST(OciLayout, Contradictions) {
  std::string index = Index(Descriptor(kManifestType, kManifest));
  EXPECT_EQ(Import(Layout(index, {kManifest, kConfig, "layer one"})).images.status().code(),
            absl::StatusCode::kNotFound)
      << "a layer is missing";
  std::string wrong_size = index;
  wrong_size.replace(wrong_size.find("\"size\":"), 7, "\"size\":1");
  EXPECT_EQ(Import(Layout(wrong_size, {kManifest, kConfig, "layer one", "layer two"}))
                .images.status()
                .code(),
            absl::StatusCode::kDataLoss);
  std::string as_index = Index(Descriptor(kIndexType, kManifest));
  EXPECT_EQ(Import(Layout(as_index, {kManifest})).images.status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Import(Layout("{}", {})).images.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Import(Layout("no json", {})).images.status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Import(Layout(Index(""), {})).images.status().code(), absl::StatusCode::kNotFound);
}

std::string DockerArchive(const std::string& manifest) {
  return TestTar()
      .Add({.name = Hex(kConfig) + ".json", .contents = kConfig})
      .Add({.name = "1/layer.tar", .contents = "layer one"})
      .Add({.name = "2/layer.tar", .type = '2', .link = "../1/layer.tar"})
      .Add({.name = "blobs/sha256/" + Hex("new"), .contents = "new"})
      .Add({.name = "empty"})
      .Add({.name = "manifest.json", .contents = manifest})
      .Finish();
}

TEST(DockerArchive, OneImage) {
  Imported got = Import(DockerArchive(
      absl::StrCat(R"([{"Config":")", Hex(kConfig), R"(.json","RepoTags":["a:1","b:2"],"Layers":[)",
                   R"("1/layer.tar","2/layer.tar","blobs/sha256/)", Hex("new"), R"("]}])")));
  ASSERT_TRUE(got.images.ok()) << got.images.status();
  const FoundImage& image = got.images->at(0);
  EXPECT_EQ(image.repo_tags, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(image.manifest.extent.size, 0u);
  EXPECT_EQ(got.Read(image.config), kConfig);
  EXPECT_EQ(absl::BytesToHexString(image.config.digest), Hex(kConfig));
  ASSERT_EQ(image.layers.size(), 3u);
  EXPECT_EQ(got.Read(image.layers[1]), "layer one");
  EXPECT_EQ(image.layers[1].digest, "");
  EXPECT_EQ(absl::BytesToHexString(image.layers[2].digest), Hex("new"));
}

TEST(DockerArchive, Refused) {
  for (const char* manifest :
       {"{}", "[7]", R"([{"Layers":[]}])", R"([{"Config":"absent.json","Layers":[]}])",
        R"([{"Config":"1/layer.tar","Layers":["../../etc/passwd"]}])",
        R"([{"Config":"1/layer.tar","Layers":["empty"]}])",
        R"([{"Config":"1/layer.tar","Layers":"x"}])", R"([{"Config":["x"],"Layers":[]}])",
        R"([{"Config":"1/layer.tar","RepoTags":[7],"Layers":[]}])", "[]"}) {
    EXPECT_FALSE(Import(DockerArchive(manifest)).images.ok()) << manifest;
  }
}

TEST(Import, NeitherForm) {
  EXPECT_EQ(Import(TestTar().Add({.name = "x", .contents = "y"}).Finish()).images.status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Import, AnswerMustFit) {
  std::string layers = R"("1/layer.tar")";
  for (int i = 1; i < 1000; ++i) layers += R"(,"1/layer.tar")";
  std::string image = absl::StrCat(R"({"Config":"1/layer.tar","Layers":[)", layers, "]}");
  std::string four = absl::StrCat(image, ",", image, ",", image, ",", image);
  EXPECT_TRUE(Import(DockerArchive(absl::StrCat("[", four, "]"))).images.ok());
  EXPECT_EQ(Import(DockerArchive(absl::StrCat("[", four, ",", image, "]"))).images.status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace bulkhead::worker
