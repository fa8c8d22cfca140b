#include "worker/verify/verify_job.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "security/policy/test_signing_key.h"
#include "worker/parse/descriptor.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

using security::SigningKey;
using ::testing::HasSubstr;

const std::string kImage(32, 'i');

std::string Payload(const std::string& digest, const std::string& name = "r.example/app") {
  return absl::StrCat(R"({"critical":{"identity":{"docker-reference":")", name,
                      R"("},"image":{"docker-manifest-digest":"sha256:)", base::ToHex(digest),
                      R"("},"type":"cosign container image signature"},"optional":null})");
}

struct Signed {
  std::string payload;
  std::string signature;
};

class VerifyJobTest : public testing::Test {
 public:
  ~VerifyJobTest() noexcept override = default;

 protected:
  absl::Status Run(const std::vector<Signed>& all, const std::vector<std::string>& keys,
                   const std::string& identity = "r.example/app") {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::VerifyJob>();
    std::vector<base::UniqueFd> fds;
    auto signatures = job.initSignatures(all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      fds.emplace_back(memfd_create("payload", MFD_CLOEXEC));
      EXPECT_TRUE(base::WriteAll(fds.back().get(), all[i].payload).ok());
      signatures[i].setSize(all[i].payload.size());
      Sha256 hash;
      hash.Update(all[i].payload);
      WriteDigest(hash.Finish(), signatures[i].initDigest());
      signatures[i].setBytes(
          kj::StringPtr(all[i].signature.c_str(), all[i].signature.size()).asBytes());
    }
    auto pems = job.initKeys(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) pems.set(i, keys[i]);
    WriteDigest(std::string(32, 'o'), job.initImages(2)[0]);
    WriteDigest(kImage, job.getImages()[1]);
    job.initIdentities(1).set(0, identity);
    if (spoil_digest_) WriteDigest(std::string(32, 'x'), signatures[0].initDigest());
    return RunVerifyJob(job.asReader(), fds, result_);
  }
  Signed By(const SigningKey& key, const std::string& payload) {
    return {payload, key.Sign(payload)};
  }
  void ExpectRefused(const absl::Status& status, const char* why) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_THAT(status.message(), HasSubstr(why));
  }

  bool spoil_digest_ = false;
  SigningKey ours_ = SigningKey::P256();
  SigningKey other_ = SigningKey::Ed25519();
  capnp::MallocMessageBuilder result_message_;
  schema::VerifyResult::Builder result_ = result_message_.initRoot<schema::VerifyResult>();
};

TEST_F(VerifyJobTest, OneGoodSignatureIsEnough) {
  SigningKey rsa = SigningKey::Rsa(2048);
  std::string payload = Payload(kImage);
  absl::Status status = Run({{"damaged", "bytes"}, By(other_, payload), By(rsa, payload)},
                            {ours_.PublicPem(), rsa.PublicPem()});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(result_.getSignature(), 2u);
  EXPECT_EQ(result_.getKey(), 1u);
  EXPECT_EQ(result_.getImage(), 1u);
}

TEST_F(VerifyJobTest, IdentityMayBeAGlob) {
  EXPECT_TRUE(Run({By(ours_, Payload(kImage))}, {ours_.PublicPem()}, "r.example/*").ok());
  ExpectRefused(Run({By(ours_, Payload(kImage))}, {ours_.PublicPem()}, "r.example/other"),
                "is for the name r.example/app");
}

TEST_F(VerifyJobTest, Refuses) {
  std::string payload = Payload(kImage);
  ExpectRefused(Run({}, {ours_.PublicPem()}), "no signature");
  ExpectRefused(Run({By(other_, payload)}, {ours_.PublicPem()}), "none of the policy's keys");
  ExpectRefused(Run({By(ours_, Payload(std::string(32, 'z')))}, {ours_.PublicPem()}),
                "another image");
  Signed changed = By(ours_, payload);
  changed.payload.back() = ' ';
  ExpectRefused(Run({changed}, {ours_.PublicPem()}), "none of the policy's keys");
  spoil_digest_ = true;
  ExpectRefused(Run({By(ours_, payload)}, {ours_.PublicPem()}), "another digest");
}

TEST_F(VerifyJobTest, NoKeyOrABadOneIsNoSuccess) {
  EXPECT_FALSE(Run({By(ours_, Payload(kImage))}, {}).ok());
  EXPECT_FALSE(Run({By(ours_, Payload(kImage))}, {ours_.PublicPem(), "nonsense"}).ok());
}

TEST_F(VerifyJobTest, SignedNonsenseIsRefused) {
  EXPECT_FALSE(Run({By(ours_, "{}")}, {ours_.PublicPem()}).ok());
}

}  // namespace
}  // namespace bulkhead::worker
