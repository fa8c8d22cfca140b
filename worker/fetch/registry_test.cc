// Against a real registry, by the library and by the real, confined process.
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "schema/registries.capnp.h"
#include "schema/worker/fetch.capnp.h"
#include "worker/fetch/fetch.h"
#include "worker/fetch/test_registry.h"
#include "worker/import/live_worker.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

constexpr char kRepository[] = "team/app";
constexpr char kManifestType[] = "application/vnd.docker.distribution.manifest.v2+json";

std::string ReadBack(const base::UniqueFd& fd) {
  return *base::ReadAt(fd.get(), 0, lseek(fd.get(), 0, SEEK_END));
}

class RegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!TestRegistry::IsInstalled()) GTEST_SKIP() << "docker-registry is not installed";
    Fill(TestRegistry::Transport::kPlain);
  }

  void Fill(TestRegistry::Transport transport) {
    registry_ = std::make_unique<TestRegistry>(transport);
    blobs_.clear();
    digests_.clear();
    for (int i = 0; i < 8; ++i) {
      blobs_.push_back(std::string((1 << 20) + i, static_cast<char>('a' + i)));
      digests_.push_back(registry_->PushBlob(kRepository, blobs_.back()));
    }
    std::string config = R"({"rootfs":{"type":"layers","diff_ids":[]}})";
    std::string config_digest = registry_->PushBlob(kRepository, config);
    manifest_ = absl::StrCat(
        R"({"schemaVersion":2,"mediaType":")", kManifestType,
        R"(","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":)",
        config.size(), R"(,"digest":")", config_digest, R"("},"layers":[]})");
    manifest_digest_ = registry_->PushManifest(kRepository, "v1", kManifestType, manifest_);
  }

  base::UniqueFd& NewFile() {
    files_.emplace_back(memfd_create("item", MFD_CLOEXEC));
    return files_.back();
  }

  FetchRequest Request() {
    FetchRequest request;
    request.endpoints = {{registry_->host(), true}};
    request.registry = registry_->host();
    request.repository = kRepository;
    request.deadline = base::Deadline::After(absl::Seconds(60));
    return request;
  }

  std::unique_ptr<TestRegistry> registry_;
  std::vector<std::string> blobs_;
  std::vector<std::string> digests_;
  std::string manifest_;
  std::string manifest_digest_;
  std::vector<base::UniqueFd> files_;
};

TEST_F(RegistryTest, ManifestByTagAndDigest) {
  FetchRequest request = Request();
  request.items = {{true, "v1", 1 << 20, NewFile().get()},
                   {true, manifest_digest_, 1 << 20, NewFile().get()}};
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].media_type, MediaType::MANIFEST);
  EXPECT_EQ(ReadBack(files_[0]), manifest_);
  EXPECT_EQ(ReadBack(files_[1]), manifest_);
}

TEST_F(RegistryTest, BlobsSideBySide) {
  FetchRequest request = Request();
  for (size_t i = 0; i < blobs_.size(); ++i) {
    request.items.push_back({false, digests_[i], blobs_[i].size(), NewFile().get()});
  }
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request);
  ASSERT_TRUE(got.ok()) << got.status();
  for (size_t i = 0; i < blobs_.size(); ++i) {
    EXPECT_EQ((*got)[i].bytes, blobs_[i].size());
    EXPECT_TRUE(ReadBack(files_[i]) == blobs_[i]);
  }
}

TEST_F(RegistryTest, Missing) {
  FetchRequest request = Request();
  request.items = {{true, "absent", 1 << 20, NewFile().get()}};
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kNotFound);
  request.items = {{false, "sha256:" + std::string(64, '0'), 1 << 20, NewFile().get()}};
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kNotFound);
  request.items = {{false, digests_[0], blobs_[0].size() - 1, NewFile().get()}};
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(RegistryTest, Certificates) {
  Fill(TestRegistry::Transport::kTls);
  FetchRequest request = Request();
  request.items = {{true, "v1", 1 << 20, NewFile().get()}};
  request.endpoints = {{registry_->host()}};
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kUnavailable)
      << "nobody vouches for it";
  request.endpoints = {
      {registry_->host(), false, false, *base::ReadFile(registry_->ca_file(), 1 << 20)}};
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request);
  EXPECT_TRUE(got.ok()) << got.status();
  request.endpoints = {{registry_->host(), false, true}};
  got = Fetch(request);
  EXPECT_TRUE(got.ok()) << got.status();
}

TEST_F(RegistryTest, ClientCertificates) {
  Fill(TestRegistry::Transport::kTlsClient);
  FetchRequest request = Request();
  request.items = {{true, "v1", 1 << 20, NewFile().get()}};
  std::string ca = *base::ReadFile(registry_->ca_file(), 1 << 20);
  request.endpoints = {{registry_->host(), false, false, ca}};
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kUnavailable) << "it wants one";
  request.endpoints[0].client_cert = ca;
  request.endpoints[0].client_key = *base::ReadFile(registry_->key_file(), 1 << 20);
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request);
  EXPECT_TRUE(got.ok()) << got.status();
}

class FetchProcessTest : public RegistryTest {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to start confined processes";
    RegistryTest::SetUp();
  }

  enum class Mode { kPlain, kTls, kTlsUnverified };
  ipc::Received Run(absl::string_view host, Mode mode, size_t blob) {
    capnp::MallocMessageBuilder settings;
    auto registry = settings.initRoot<schema::Registries>().initRegistries(1)[0];
    registry.setHost(registry_->host());
    auto endpoint = registry.initEndpoints(1)[0];
    endpoint.setHost(std::string(host));
    endpoint.setPlainHttp(mode == Mode::kPlain);
    endpoint.setSkipVerify(mode == Mode::kTlsUnverified);
    endpoint.setPath("/v2");
    endpoint.setResolve(true);
    endpoint.setPull(true);
    kj::Array<capnp::word> words = capnp::messageToFlatArray(settings);
    base::UniqueFd memfd = *base::MakeSealedMemfd(
        "settings",
        {reinterpret_cast<const char*>(words.asBytes().begin()), words.asBytes().size()});
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::FetchJob>();
    job.setRegistry(registry_->host());
    job.setRepository(kRepository);
    job.setDeadlineMs(60000);
    auto items = job.initItems(2);
    items[0].setManifestByTag("v1");
    items[0].setMaxBytes(1 << 20);
    std::string digest = base::FromHex(digests_[blob].substr(7));
    items[1].initBlob().setBytes(
        kj::arrayPtr(reinterpret_cast<const kj::byte*>(digest.data()), digest.size()));
    items[1].setMaxBytes(blobs_[blob].size());
    LiveWorker worker(security::kFetchProfile, BULKHEAD_PROGRAMS, {memfd.get()});
    worker.Send(message, {NewFile().get(), NewFile().get()});
    return worker.Receive();
  }
};

TEST_F(FetchProcessTest, Pulls) {
  ipc::Received received = Run(registry_->host(), Mode::kPlain, 3);
  auto result = received.As<schema::FetchResult>();
  absl::Status status = ipc::ReadStatus(result.getStatus());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(result.getItems()[0].getMediaType(), MediaType::MANIFEST);
  EXPECT_EQ(result.getItems()[1].getBytes(), blobs_[3].size());
  EXPECT_EQ(ReadBack(files_[0]), manifest_);
  EXPECT_TRUE(ReadBack(files_[1]) == blobs_[3]);
}

// Name service and TLS run under the filter as well: what it forbids would end the process.
TEST_F(FetchProcessTest, ResolvesNames) {
  std::string port = registry_->host().substr(registry_->host().find(':'));
  ipc::Received by_name = Run("localhost" + port, Mode::kPlain, 1);
  absl::Status status = ipc::ReadStatus(by_name.As<schema::FetchResult>().getStatus());
  EXPECT_TRUE(status.ok()) << status;
  ipc::Received unknown = Run("no-such-host.invalid", Mode::kTls, 1);
  EXPECT_EQ(ipc::ReadStatus(unknown.As<schema::FetchResult>().getStatus()).code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(FetchProcessTest, SpeaksTls) {
  Fill(TestRegistry::Transport::kTls);
  ipc::Received unverified = Run(registry_->host(), Mode::kTlsUnverified, 2);
  absl::Status status = ipc::ReadStatus(unverified.As<schema::FetchResult>().getStatus());
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(ReadBack(files_[1]) == blobs_[2]);
  ipc::Received verified = Run(registry_->host(), Mode::kTls, 2);
  EXPECT_EQ(ipc::ReadStatus(verified.As<schema::FetchResult>().getStatus()).code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace bulkhead::worker
