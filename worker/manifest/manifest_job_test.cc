#include "worker/manifest/manifest_job.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "worker/parse/sha256.h"
#include "worker/parse/descriptor.h"

namespace bulkhead::worker {
namespace {

constexpr char kBefore[] = "other things in the archive ";

class ManifestJobTest : public testing::Test {
 public:
  ~ManifestJobTest() noexcept override = default;

 protected:
  absl::Status Run(const std::string& document) {
    base::UniqueFd file(memfd_create("document", MFD_CLOEXEC));
    std::string whole = kBefore + document + " and after";
    EXPECT_EQ(write(file.get(), whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
    job_.setOffset(sizeof(kBefore) - 1);
    if (job_.getSize() == 0) job_.setSize(document.size());
    job_.setArchitecture("amd64");
    result_ = result_message_.initRoot<schema::ManifestResult>();
    return RunManifestJob(job_.asReader(), file.get(), result_);
  }

  static std::string Hash(const std::string& text) {
    Sha256 hash;
    hash.Update(text);
    return hash.Finish();
  }
  static std::string Index() {
    return absl::StrCat(
        R"({"schemaVersion":2,"manifests":[{)",
        R"("mediaType":"application/vnd.oci.image.manifest.v1+json",)",
        R"("size":9,"digest":"sha256:)", std::string(64, '7'),
        R"(","platform":{"os":"linux","architecture":"amd64"}}]})");
  }
  static std::string Manifest() {
    std::string tail = absl::StrCat(R"("size":9,"digest":"sha256:)", std::string(64, '7'), R"("})");
    return absl::StrCat(
        R"({"schemaVersion":2,"config":{)",
        R"("mediaType":"application/vnd.docker.container.image.v1+json",)",
        tail, R"(,"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip",)",
        tail, "]}");
  }

  capnp::MallocMessageBuilder job_message_;
  capnp::MallocMessageBuilder result_message_;
  schema::ManifestJob::Builder job_ = job_message_.initRoot<schema::ManifestJob>();
  schema::ManifestResult::Builder result_{nullptr};
};

TEST_F(ManifestJobTest, Index) {
  ASSERT_TRUE(Run(Index()).ok());
  EXPECT_EQ(result_.which(), schema::ManifestResult::CHOSEN);
  EXPECT_EQ(result_.getChosen().getSize(), 9u);
  capnp::Data::Reader digest = result_.getDigest().asReader().getBytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(digest.begin()), digest.size()),
            Hash(Index()));
}

TEST_F(ManifestJobTest, Manifest) {
  job_.setMediaType(MediaType::MANIFEST);
  ASSERT_TRUE(Run(Manifest()).ok());
  EXPECT_EQ(result_.which(), schema::ManifestResult::MANIFEST);
  EXPECT_EQ(result_.getManifest().getLayers().size(), 1u);
  EXPECT_EQ(result_.getManifest().getConfig().getMediaType(), MediaType::CONFIG);
}

TEST_F(ManifestJobTest, Config) {
  job_.setKind(schema::ManifestJob::Kind::CONFIG);
  ASSERT_TRUE(Run(R"({"rootfs":{"type":"layers","diff_ids":[]}})").ok());
  EXPECT_EQ(result_.which(), schema::ManifestResult::CONFIG);
}

TEST_F(ManifestJobTest, Digest) {
  job_.setHasDigest(true);
  WriteDigest(Hash(Index()), job_.initDigest());
  EXPECT_TRUE(Run(Index()).ok());
  WriteDigest(Hash("other"), job_.initDigest());
  EXPECT_EQ(Run(Index()).code(), absl::StatusCode::kDataLoss);
  WriteDigest("short", job_.initDigest());
  EXPECT_EQ(Run(Index()).code(), absl::StatusCode::kDataLoss);
}

// A wrong digest is told before the contents are looked at.
TEST_F(ManifestJobTest, DigestBeforeParsing) {
  job_.setHasDigest(true);
  WriteDigest(Hash("other"), job_.initDigest());
  EXPECT_EQ(Run("no json").code(), absl::StatusCode::kDataLoss);
}

TEST_F(ManifestJobTest, AnnouncedAsSomethingElse) {
  job_.setMediaType(MediaType::INDEX);
  EXPECT_EQ(Run(Manifest()).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ManifestJobTest, NoSuchPlatform) {
  std::string other = Index();
  other.replace(other.find("amd64"), 5, "s390x");
  EXPECT_EQ(Run(other).code(), absl::StatusCode::kNotFound);
}

TEST_F(ManifestJobTest, Sizes) {
  job_.setSize((4 << 20) + 1);
  EXPECT_EQ(Run(Index()).code(), absl::StatusCode::kResourceExhausted);
  job_.setSize(100000);
  EXPECT_FALSE(Run(Index()).ok()) << "longer than the file";
  job_.setSize(0);
  EXPECT_EQ(Run("").code(), absl::StatusCode::kInvalidArgument);
  job_.setSize(5);
  EXPECT_EQ(Run(Index()).code(), absl::StatusCode::kInvalidArgument) << "cut in the middle";
}

}  // namespace
}  // namespace bulkhead::worker
