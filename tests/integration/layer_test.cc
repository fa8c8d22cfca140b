// Layers in both forms, on a real node: pulled, mounted, shared, removed; and what a wicked one
// costs.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/erofs_probe.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

namespace fs = std::filesystem;
using ImageStub = tools::CriClient::Image;

std::string LayersTable(const std::string& driver, const std::string& more = "") {
  return absl::StrCat("[layers]\ndriver = \"", driver, "\"\n", more);
}

class LayerNode : public NodeTest {
 protected:
  NodeOptions WithLayers(const std::string& table) {
    NodeOptions options;
    options.registry = true;
    options.more_config = table;
    return options;
  }
  absl::Status RemoveImage(const std::string& name) {
    cri::RemoveImageRequest request;
    request.mutable_image()->set_image(name);
    return cri().Call(&ImageStub::RemoveImage, request, kPatience).status();
  }
  // What lies in the layers' directory: how many of each kind, and what is unfinished.
  struct Found {
    int directories = 0, images = 0, staging = 0;
  };
  Found LayersOnDisk() {
    Found found;
    for (auto& entry : fs::directory_iterator(node().root_dir() + "/layers")) {
      if (entry.path().filename().string().rfind("tmp-", 0) == 0) {
        ++found.staging;
      } else {
        ++(entry.is_directory() ? found.directories : found.images);
      }
    }
    return found;
  }
  std::string Run(const std::string& image, std::vector<std::string> command) {
    auto pod = RunPod(PodRequest("pod"));
    EXPECT_THAT(pod, IsOk());
    auto request = ContainerRequest(*pod, "main", std::move(command));
    request.mutable_config()->mutable_image()->set_image(image);
    auto output = OutputOf(request);
    EXPECT_THAT(output, IsOk());
    RemoveAll();
    return output.value_or("");
  }
};

class LayerDrivers : public LayerNode, public ::testing::WithParamInterface<const char*> {
 protected:
  NodeOptions Options() override { return WithLayers(LayersTable(GetParam())); }
  void SetUp() override {
    const absl::Status works = base::ProbeErofs(fs::temp_directory_path().c_str());
    if (GetParam() == std::string("erofs") && !works.ok()) GTEST_SKIP() << works;
    LayerNode::SetUp();
  }
};
INSTANTIATE_TEST_SUITE_P(Both, LayerDrivers, ::testing::Values("dir", "erofs"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(LayerDrivers, PulledRunAndRemoved) {
  const bool erofs = GetParam() == std::string("erofs");
  const Found before = LayersOnDisk();
  EXPECT_EQ(before.images > 0, erofs);
  EXPECT_EQ(before.directories > 0, !erofs);
  Output pushed = node().Push(
      "some/app:1", {"--extra-layers", "3", "--layer-bytes", "100000", "--hide", "etc/group"});
  ASSERT_EQ(pushed.code, 0) << pushed.err;
  const std::string name = absl::StrCat(kRegistry, "/some/app:1");
  ASSERT_THAT(Pull(name), IsOk());
  EXPECT_EQ(Run(name, {"/bin/sh", "-c",
                       "wc -c < /layer-2; stat -c %u:%g /bin/busybox; "
                       "rm /layer-1; ls / | grep -c layer; touch /new; ls /etc | grep -v -e host -e resolv"}),
            "100000\n0:0\n2\npasswd\n");
  Found after = LayersOnDisk();
  EXPECT_EQ(after.staging, 0);
  EXPECT_EQ(after.images + after.directories, before.images + before.directories + 4)
      << "the lowest is the one that was there";
  EXPECT_THAT(RemoveImage(name), IsOk());
  after = LayersOnDisk();
  EXPECT_EQ(after.images, before.images);
  EXPECT_EQ(after.directories, before.directories);
}

// Two containers of one image, and one after a restart of everything while the first still runs.
TEST_P(LayerDrivers, SharedByContainersAndOutlivingARestart) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto first = Create(ContainerRequest(*pod, "one", {"/bin/sleep", "1000"}));
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(Start(*first), IsOk());
  auto second = OutputOf(ContainerRequest(*pod, "two", {"/bin/sh", "-c", "echo x > /etc/passwd"}));
  EXPECT_THAT(second, IsOk());
  auto code = node().Down();
  ASSERT_THAT(code, IsOk());
  ASSERT_THAT(node().Up(), IsOk());
  auto seen = Exec(*first, {"/bin/sh", "-c", "head -n 1 /etc/passwd"});
  ASSERT_THAT(seen, IsOk());
  EXPECT_EQ(seen->stdout(), "root:x:0:0:root:/root:/bin/sh\n");
  auto third = OutputOf(ContainerRequest(*pod, "three", {"/bin/cat", "/etc/group"}));
  ASSERT_THAT(third, IsOk());
  EXPECT_EQ(third->substr(0, 9), "root:x:0:");
  RemoveAll();
}

// A layer that says little and means much.
class V12 : public LayerNode {
 protected:
  NodeOptions Options() override {
    return WithLayers(LayersTable("auto",
                                  "max_ratio = 100\nmax_entries = 3000\n"
                                  "max_image_bytes = 15000000\nmax_depth = 20\n"));
  }
  void ExpectRefused(const std::string& tag, std::vector<std::string> options) {
    Output pushed = node().Push("evil/" + tag, std::move(options));
    ASSERT_EQ(pushed.code, 0) << pushed.err;
    const Found before = LayersOnDisk();
    auto pulled = Pull(absl::StrCat(kRegistry, "/evil/", tag));
    EXPECT_EQ(pulled.status().code(), absl::StatusCode::kResourceExhausted) << pulled.status();
    const Found after = LayersOnDisk();
    EXPECT_EQ(after.images + after.directories, before.images + before.directories);
    EXPECT_EQ(after.staging, 0);
    EXPECT_TRUE(fs::is_empty(node().root_dir() + "/ingest"));
  }
};

TEST_F(V12, BombsAreRefusedAndLeaveNothing) {
  ExpectRefused("ratio:1", {"--zeros", "16"});
  ExpectRefused("entries:1", {"--many-files", "4000"});
  ExpectRefused("depth:1", {"--deep", "30"});
  ExpectRefused("image:1", {"--extra-layers", "3", "--layer-bytes", "6000000"});
  // The node is none the worse for it.
  EXPECT_EQ(Run(kImage, {"/bin/echo", "well"}), "well\n");
}

// Programs and libraries of an image that bear the names of what unpackers elsewhere have executed.
class V13 : public LayerNode {
 protected:
  NodeOptions Options() override { return WithLayers(LayersTable("auto")); }
};

TEST_F(V13, NothingOfAnImageIsExecutedByPulling) {
  Output pushed = node().Push("evil/helpers:1", {"--helpers", node().directory() + "/canary"});
  ASSERT_EQ(pushed.code, 0) << pushed.err;
  const std::string name = absl::StrCat(kRegistry, "/evil/helpers:1");
  ASSERT_THAT(Pull(name), IsOk());
  EXPECT_EQ(Run(name, {"/bin/cat", "/etc/ld.so.preload"}),
            "/lib/x86_64-linux-gnu/libnss_files.so.2\n");
  EXPECT_FALSE(fs::exists(node().directory() + "/canary"));
  EXPECT_THAT(RemoveImage(name), IsOk());
}

}  // namespace
}  // namespace bulkhead::test
