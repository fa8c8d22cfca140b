// Images: imported from both kinds of archive, pulled from a real registry, listed and removed.
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ImageStub = tools::CriClient::Image;

class Images : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.registry = true;
    return options;
  }
  absl::StatusOr<cri::Image> Image(const std::string& name) {
    cri::ImageStatusRequest request;
    request.mutable_image()->set_image(name);
    auto response = cri().Call(&ImageStub::ImageStatus, request, kPatience);
    if (!response.ok()) return response.status();
    if (!response->has_image()) return absl::NotFoundError("");
    return response->image();
  }
  absl::Status RemoveImage(const std::string& name) {
    cri::RemoveImageRequest request;
    request.mutable_image()->set_image(name);
    return cri().Call(&ImageStub::RemoveImage, request, kPatience).status();
  }
};

TEST_F(Images, ImportedOneIsThere) {
  auto image = Image(kImage);
  ASSERT_THAT(image, IsOk());
  EXPECT_THAT(image->id(), StartsWith("sha256:"));
  EXPECT_THAT(image->repo_tags(), Contains(kImage));
  EXPECT_GT(image->size(), 500u << 10);
}

TEST_F(Images, DockerArchive) {
  Output imported = node().Import("localhost/docker:1", {"--docker", "--extra-layers", "2"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  auto image = Image("localhost/docker:1");
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(imported.out, image->id() + "\n");
  EXPECT_THAT(RemoveImage("localhost/docker:1"), IsOk());
}

TEST_F(Images, PullRunRemove) {
  Output pushed =
      node().Push("some/app:1", {"--extra-layers", "3", "--cmd", "/bin/cat", "--cmd", "/layer-0"});
  ASSERT_EQ(pushed.code, 0) << pushed.err;
  std::string name = absl::StrCat(kRegistry, "/some/app:1");
  auto reference = Pull(name);
  ASSERT_THAT(reference, IsOk());
  auto image = Image(name);
  ASSERT_THAT(image, IsOk());
  std::string digest(absl::StripSuffix(pushed.out, "\n"));
  EXPECT_THAT(image->repo_digests(), Contains(absl::StrCat(kRegistry, "/some/app@", digest)));
  EXPECT_THAT(Pull(name), IsOk()) << "a second time";
  EXPECT_THAT(Pull(absl::StrCat(kRegistry, "/some/app@", digest)), IsOk()) << "by digest";

  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto request = ContainerRequest(*pod, "main", {});
  request.mutable_config()->mutable_image()->set_image(image->id());
  auto output = OutputOf(request);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "layer 0\n");
  RemoveAll();
  EXPECT_THAT(RemoveImage(image->id()), IsOk());
  EXPECT_EQ(Image(name).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(RemoveImage(image->id()), IsOk()) << "a second time";
}

TEST_F(Images, FailedPullsLeaveNothing) {
  auto missing = Pull(absl::StrCat(kRegistry, "/no/such:1"));
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound) << missing.status();
  auto dead = Pull("127.0.0.1:1/a:1");
  EXPECT_EQ(dead.status().code(), absl::StatusCode::kUnavailable) << dead.status();
  for (const char* name : {"UPPER/case", "a b", "oci:/etc", "/etc/passwd", "http://x/y", ""}) {
    auto bad = Pull(name);
    EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument) << name << bad.status();
  }
  EXPECT_THAT(Image(kImage), IsOk());
}

TEST_F(Images, ArchiveThatIsNone) {
  Output imported = node().Bulkhead({"image", "import", "/bin/busybox"});
  EXPECT_EQ(imported.code, 1);
  EXPECT_THAT(imported.err, HasSubstr("bulkhead: "));
  Output missing = node().Bulkhead({"image", "import", "/no/such/file"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("/no/such/file"));
}

TEST_F(Images, FileSystemInfo) {
  auto info = cri().Call(&ImageStub::ImageFsInfo, cri::ImageFsInfoRequest(), kPatience);
  ASSERT_THAT(info, IsOk());
  ASSERT_EQ(info->image_filesystems_size(), 1);
  EXPECT_GT(info->image_filesystems(0).used_bytes().value(), 0u);
}

}  // namespace
}  // namespace bulkhead::test
