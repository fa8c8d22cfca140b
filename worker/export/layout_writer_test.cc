#include "worker/export/layout_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/unique_fd.h"
#include "worker/import/import.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

using ::testing::ElementsAre;

std::string Hash(const std::string& text) {
  Sha256 hash;
  hash.Update(text);
  return hash.Finish();
}

class Layout : public testing::Test {
 protected:
  void Add(const std::string& text, const std::string& digest = "") {
    files_.emplace_back(memfd_create("blob", MFD_CLOEXEC));
    ASSERT_TRUE(base::WriteAll(files_.back().get(), text).ok());
    image_.blobs.push_back({files_.back().get(), digest.empty() ? Hash(text) : digest});
  }
  absl::StatusOr<Found> WriteAndImport() {
    archive_ = base::UniqueFd(memfd_create("archive", MFD_CLOEXEC));
    auto size = WriteLayout(archive_.get(), image_);
    if (!size.ok()) return size.status();
    EXPECT_EQ(*size % 512, 0u);
    return FindImages(archive_.get(), {"amd64", ""});
  }
  std::string Read(const Section& section) {
    return *base::ReadAt(archive_.get(), section.extent.offset, section.extent.size);
  }

  const std::string config_ = R"({"rootfs":{"type":"layers","diff_ids":[]}})";
  std::vector<base::UniqueFd> files_;
  ExportedImage image_;
  base::UniqueFd archive_;
};

TEST_F(Layout, WithItsOwnManifest) {
  std::string manifest = absl::StrCat(
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)",
      R"("config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:)",
      base::ToHex(Hash(config_)), R"(","size":)", config_.size(), R"(},"layers":[)",
      R"({"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":"sha256:)",
      base::ToHex(Hash("layer")), R"(","size":5}]})");
  image_.names = {"r.example/a:1", "r.example/b:2"};
  image_.has_manifest = true;
  Add(manifest);
  Add(config_);
  Add("layer");
  auto found = WriteAndImport();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->images.size(), 2u);
  EXPECT_THAT(found->images[0].repo_tags, ElementsAre("r.example/a:1"));
  EXPECT_THAT(found->images[1].repo_tags, ElementsAre("r.example/b:2"));
  EXPECT_EQ(Read(found->images[0].manifest), manifest) << "byte by byte";
  EXPECT_EQ(Read(found->images[0].config), config_);
  EXPECT_EQ(Read(found->images[0].layers[0]), "layer");
}

TEST_F(Layout, OneIsMadeWhereThereIsNoManifest) {
  Add(config_);
  Add("\x1f\x8b gzip");
  Add("plain");
  Add("plain");
  auto found = WriteAndImport();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->images.size(), 1u);
  ASSERT_EQ(found->images[0].layers.size(), 3u);
  EXPECT_EQ(found->images[0].layers[0].media_type, MediaType::LAYER_TAR_GZIP);
  EXPECT_EQ(found->images[0].layers[1].media_type, MediaType::LAYER_TAR);
  EXPECT_EQ(found->images[0].layers[1].extent.offset, found->images[0].layers[2].extent.offset);
}

TEST_F(Layout, DamagedBlobIsFound) {
  Add(config_);
  Add("layer", Hash("other"));
  EXPECT_EQ(WriteAndImport().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(Layout, NothingToWrite) { EXPECT_FALSE(WriteAndImport().ok()); }

}  // namespace
}  // namespace bulkhead::worker
