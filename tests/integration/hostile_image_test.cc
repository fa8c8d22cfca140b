// Images whose registry lies: refused for their lie, and nothing of them stays. Tests bear the attacks' numbers.
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ImageStub = tools::CriClient::Image;

constexpr int kPort = 5000;  // kRegistry's

class HostileImage : public NodeTest {
 protected:
  void SetUp() override {
    NodeTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto server = Process::Start({"/usr/bin/python3",
                                  BULKHEAD_SOURCE_DIR "/tests/support/hostile_registry.py",
                                  absl::StrCat(kPort)},
                                 -1, -1);
    ASSERT_THAT(server.status(), IsOk());
    server_ = *std::move(server);
    ASSERT_TRUE(Eventually(absl::Seconds(20), [] { return CanConnect(kPort); }));
  }
  void TearDown() override {
    server_ = Process();
    NodeTest::TearDown();
  }
  std::string Name(const std::string& repository) {
    return absl::StrCat(kRegistry, "/", repository, ":1");
  }
  int Files() {
    namespace fs = std::filesystem;
    int count = 0;
    for (const char* place : {"/blobs/sha256", "/layers", "/ingest"}) {
      for (const auto& entry : fs::directory_iterator(node().root_dir() + place)) {
        count += entry.exists();
      }
    }
    return count;
  }
  void ExpectRefused(const std::string& repository, std::vector<absl::StatusCode> codes) {
    SCOPED_TRACE(repository);
    int before = Files();
    absl::Status status = Pull(Name(repository)).status();
    EXPECT_THAT(codes, ::testing::Contains(status.code())) << status;
    EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return Files() == before; }))
        << "left something behind";
  }
  void ExpectGoodOneWorks() {
    auto id = Pull(Name("good/image"));
    ASSERT_THAT(id, IsOk());
    cri::RemoveImageRequest request;
    request.mutable_image()->set_image(*id);
    EXPECT_THAT(cri().Call(&ImageStub::RemoveImage, request, kPatience).status(), IsOk());
  }

  Process server_;
};

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

TEST_F(HostileImage, V2OneDocumentIsNeverReadInTwoWays) {
  for (const char* lie : {"v2/content-type", "v2/own-type", "v2/both", "v2/neither", "v2/twice",
                          "v2/trailing", "v2/bom"}) {
    ExpectRefused(lie, {kInvalid});
  }
  ExpectGoodOneWorks();
}

TEST_F(HostileImage, V2WhatIsNoImageIsRefusedByName) {
  const std::pair<const char*, const char*> table[] = {{"v2/schema1", "schema 1"},
                                                       {"v2/artifact", "artifact"},
                                                       {"v2/foreign", "foreign"}};
  for (const auto& [lie, word] : table) {
    absl::Status status = Pull(Name(lie)).status();
    EXPECT_EQ(status.code(), kInvalid) << status;
    EXPECT_THAT(status.message(), HasSubstr(word));
  }
}

TEST_F(HostileImage, V3DigestsAndSizesAreHeldAgainstTheBytes) {
  for (const char* lie : {"v3/zero", "v3/huge", "v3/negative", "v3/path", "v3/upper", "v3/sha512"}) {
    ExpectRefused(lie, {kInvalid});
  }
  for (const char* lie : {"v3/longer", "v3/shorter", "v3/config-bytes"}) {
    ExpectRefused(lie, {kDataLoss, kExhausted, kUnavailable});
  }
  // A layer is unpacked while it is hashed: bytes that are no layer may be found out first.
  ExpectRefused("v3/layer-bytes", {kDataLoss, kInvalid});
  // The registry gives its manifest under any digest.
  absl::Status other =
      Pull(absl::StrCat(kRegistry, "/good/image@sha256:", std::string(64, 'b'))).status();
  EXPECT_EQ(other.code(), kDataLoss) << other;
  ExpectGoodOneWorks();
}

TEST_F(HostileImage, V4TooMuchOfAnythingIsRefused) {
  for (const char* lie : {"v4/bytes", "v4/layers", "v4/depth", "v4/config"}) {
    ExpectRefused(lie, {kExhausted});
  }
  ExpectRefused("v4/bomb", {kExhausted, kInvalid});
  ExpectGoodOneWorks();
}

// What names another source than a registry never gets as far as a connection.
TEST_F(HostileImage, V5NoTransportButARegistry) {
  for (const char* name :
       {"oci:/etc", "dir:/etc", "docker-archive:/x.tar", "/var/lib/kubelet/x.tar",
        "unix:///run/x.sock", "file:///etc/shadow", "http://127.0.0.1:5000/good/image",
        "user:password@127.0.0.1:5000/good/image", "127.0.0.1:5000/../good/image",
        "127.0.0.1:5000/good/image?x=1", "127.0.0.1:5000/good/image:1@sha512:aa"}) {
    absl::Status status = Pull(name).status();
    EXPECT_EQ(status.code(), kInvalid) << name << ": " << status;
  }
}

TEST_F(HostileImage, V7AnArchiveCannotTakeATagThatItsNameDoesNotSay) {
  auto before = Pull(Name("good/image"));
  ASSERT_THAT(before, IsOk());
  ASSERT_EQ(node().Import("localhost/other:1", {"--env", "A=1"}).code, 0);
  cri::ImageStatusRequest request;
  request.mutable_image()->set_image(Name("good/image"));
  auto status = cri().Call(&ImageStub::ImageStatus, request, kPatience);
  ASSERT_THAT(status.status(), IsOk());
  EXPECT_EQ(status->image().id(), *before);
  for (const std::string& name : {*before, std::string("localhost/other:1")}) {
    cri::RemoveImageRequest remove;
    remove.mutable_image()->set_image(name);
    EXPECT_THAT(cri().Call(&ImageStub::RemoveImage, remove, kPatience).status(), IsOk());
  }
}

TEST_F(HostileImage, V16LabelsOfAnImageSteerNothing) {
  auto id = Pull(Name("good/image"));
  ASSERT_THAT(id, IsOk());
  cri::ImageStatusRequest request;
  request.mutable_image()->set_image(*id);
  request.set_verbose(true);
  auto status = cri().Call(&ImageStub::ImageStatus, request, kPatience);
  ASSERT_THAT(status.status(), IsOk());
  EXPECT_THAT(status->info().at("info"), HasSubstr("binary:///tmp/x")) << "shown, as what they are";
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto create = ContainerRequest(*pod, "main", {"/file"});
  create.mutable_config()->mutable_image()->set_image(*id);
  auto container = Create(create);
  if (container.ok()) {
    auto labels = Status(*container);
    ASSERT_THAT(labels.status(), IsOk());
    EXPECT_EQ(labels->labels_size(), 0);
    EXPECT_EQ(labels->annotations_size(), 0);
  }
  EXPECT_FALSE(std::filesystem::exists("/tmp/x"));
  RemoveAll();
  cri::RemoveImageRequest remove;
  remove.mutable_image()->set_image(*id);
  EXPECT_THAT(cri().Call(&ImageStub::RemoveImage, remove, kPatience).status(), IsOk());
}

}  // namespace
}  // namespace bulkhead::test
