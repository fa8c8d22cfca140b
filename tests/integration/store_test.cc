// What is on disk: found damaged, never run, repaired; pruned.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ImageStub = tools::CriClient::Image;

constexpr char kSecret[] = "layer 0\n";  // what make_image.py writes into its first extra layer

class StoreOnDisk : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.registry = true;
    return options;
  }
  std::string PullNew() {
    Output pushed = node().Push("store/app:1",
                                {"--extra-layers", "1", "--cmd", "/bin/cat", "--cmd", "/layer-0"});
    EXPECT_EQ(pushed.code, 0) << pushed.err;
    auto id = Pull(absl::StrCat(kRegistry, "/store/app:1"));
    EXPECT_THAT(id, IsOk());
    return id.ok() ? *id : "";
  }
  Output Check(std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"check", "--json"});
    return node().Bulkhead(options);
  }
  // Changes one byte, wherever the layers' driver has put it. True: it found it.
  bool FlipByteOf(const std::string& text) {
    for (const auto& entry : fs::recursive_directory_iterator(node().root_dir() + "/layers")) {
      if (!entry.is_regular_file() || entry.is_symlink()) continue;
      std::stringstream all;
      all << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      size_t at = all.str().find(text);
      if (at == std::string::npos) continue;
      fs::file_time_type time = fs::last_write_time(entry.path());
      std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(at)).put('L');
      file.close();
      fs::last_write_time(entry.path(), time);
      return true;
    }
    return false;
  }
  absl::StatusOr<std::string> RunImage(const std::string& image) {
    auto pod = RunPod(PodRequest("pod"));
    if (!pod.ok()) return pod.status();
    auto request = ContainerRequest(*pod, "main", {});
    request.mutable_config()->mutable_image()->set_image(image);
    auto output = OutputOf(request);
    RemoveAll();
    return output;
  }
  bool HasImage(const std::string& name) {
    cri::ImageStatusRequest request;
    request.mutable_image()->set_image(name);
    auto response = cri().Call(&ImageStub::ImageStatus, request, kPatience);
    return response.ok() && response->has_image();
  }
  void Tidy(const std::string& image) {
    cri::RemoveImageRequest request;
    request.mutable_image()->set_image(image);
    EXPECT_THAT(cri().Call(&ImageStub::RemoveImage, request, kPatience).status(), IsOk());
    EXPECT_EQ(node().Bulkhead({"image", "prune"}).code, 0);
  }
};

TEST_F(StoreOnDisk, SoundOneIsSound) {
  Output checked = node().Bulkhead({"check"});
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("1 images, "));
  EXPECT_THAT(checked.out, HasSubstr(": sound"));
}

TEST_F(StoreOnDisk, V36FlippedByteIsFoundNotRunAndRepaired) {
  std::string id = PullNew();
  ASSERT_EQ(Check().code, 0);
  ASSERT_TRUE(FlipByteOf(kSecret));
  Output found = Check();
  EXPECT_EQ(found.code, 1) << found.out;
  EXPECT_THAT(found.out, HasSubstr("\"kind\": \"layer\""));
  EXPECT_THAT(found.out, HasSubstr("have changed"));
  EXPECT_EQ(RunImage(id).status().code(), absl::StatusCode::kDataLoss);
  Output repaired = Check({"--repair"});
  EXPECT_EQ(repaired.code, 0) << repaired.out << repaired.err;
  EXPECT_THAT(repaired.out, HasSubstr("made again from what was kept"));
  auto output = RunImage(id);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, kSecret);
  EXPECT_EQ(Check().code, 0);
  Tidy(id);
}

TEST_F(StoreOnDisk, DamagedAndMissingDocumentsAreFetchedAgain) {
  std::string id = PullNew();
  std::string blobs = node().root_dir() + "/blobs/sha256/";
  std::string config = blobs + std::string(absl::StripPrefix(id, "sha256:"));
  fs::resize_file(config, fs::file_size(config) - 1);
  Output found = Check();
  EXPECT_EQ(found.code, 1);
  EXPECT_THAT(found.out, HasSubstr("\"kind\": \"blob\""));
  Output repaired = Check({"--repair"});
  EXPECT_EQ(repaired.code, 0) << repaired.out << repaired.err;
  fs::remove(config);
  EXPECT_THAT(Check().out, HasSubstr("is missing"));
  EXPECT_EQ(Check({"--repair"}).code, 0);
  EXPECT_EQ(Check().code, 0);
  Tidy(id);
}

TEST_F(StoreOnDisk, WhatNobodyHasAnyMoreIsForgotten) {
  ASSERT_EQ(node().Import("localhost/lost:1", {"--extra-layers", "1"}).code, 0);
  ASSERT_EQ(Check().code, 0);
  ASSERT_TRUE(FlipByteOf(kSecret));
  // With what was kept of the layers gone as well, there is nothing left to make it of.
  for (const auto& entry : fs::directory_iterator(node().root_dir() + "/blobs/sha256")) {
    bool packed = std::ifstream(entry.path(), std::ios::binary).get() == 0x1f;
    if (packed && entry.file_size() < 4096) fs::resize_file(entry.path(), entry.file_size() - 1);
  }
  Output repaired = Check({"--repair"});
  EXPECT_THAT(repaired.out, HasSubstr("pull or import it again"));
  EXPECT_FALSE(HasImage("localhost/lost:1"));
  EXPECT_TRUE(HasImage(kImage));
  EXPECT_EQ(Check().code, 0);
  EXPECT_EQ(node().Bulkhead({"image", "prune"}).code, 0);
}

TEST_F(StoreOnDisk, WhatOnlyAnExportNeedsCostsNoImage) {
  for (const auto& entry : fs::directory_iterator(node().root_dir() + "/blobs/sha256")) {
    if (entry.file_size() > 100 << 10) fs::resize_file(entry.path(), 1000);
  }
  EXPECT_EQ(Check().code, 1);
  EXPECT_THAT(Check({"--repair"}).out, HasSubstr("no longer be exported"));
  EXPECT_THAT(RunImage(kImage).status(), IsOk());
  Output exported = node().Bulkhead({"image", "export", kImage, node().directory() + "/x.tar"});
  EXPECT_EQ(exported.code, 1);
  EXPECT_THAT(exported.err, HasSubstr("not kept"));
  ASSERT_EQ(node().Bulkhead({"image", "prune"}).code, 0);
  TakeBaseline();
}

TEST_F(StoreOnDisk, LeftoversAreNamedAndDeletedOnRequest) {
  std::string leftover = node().root_dir() + "/blobs/sha256/" + std::string(64, 'a');
  std::ofstream(leftover) << "nobody's";
  Output found = Check();
  EXPECT_EQ(found.code, 0) << "harmless";
  EXPECT_THAT(found.out, HasSubstr("leftover"));
  EXPECT_TRUE(fs::exists(leftover)) << "nothing is changed unasked";
  EXPECT_EQ(Check({"--repair"}).code, 0);
  EXPECT_FALSE(fs::exists(leftover));
}

TEST_F(StoreOnDisk, ExportIsTheSameImageAgain) {
  std::string id = PullNew(), file = node().directory() + "/export.tar";
  Output exported =
      node().Bulkhead({"image", "export", absl::StrCat(kRegistry, "/store/app:1"), file});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_FALSE(fs::exists(file + ".partial"));
  Tidy(id);
  EXPECT_FALSE(HasImage(id));
  Output imported = node().Bulkhead({"image", "import", file});
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_EQ(imported.out, id + "\n") << "an image's id is the same everywhere";
  EXPECT_TRUE(HasImage(absl::StrCat(kRegistry, "/store/app:1")));
  auto output = RunImage(id);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, kSecret);
  fs::remove(file);
  Output none = node().Bulkhead({"image", "export", "localhost/none:1", file});
  EXPECT_EQ(none.code, 1);
  EXPECT_FALSE(fs::exists(file));
  Tidy(id);
}

TEST_F(StoreOnDisk, ExportFindsADamagedLayer) {
  std::string id = PullNew(), file = node().directory() + "/export.tar";
  for (const auto& entry : fs::directory_iterator(node().root_dir() + "/blobs/sha256")) {
    if (entry.file_size() < 100 << 10) continue;
    std::fstream(entry.path(), std::ios::binary | std::ios::in | std::ios::out).seekp(999).put('!');
  }
  Output exported = node().Bulkhead({"image", "export", id, file});
  EXPECT_EQ(exported.code, 1);
  EXPECT_THAT(exported.err, HasSubstr("damaged"));
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(Check({"--repair"}).code, 0);
  EXPECT_EQ(node().Bulkhead({"image", "export", id, file}).code, 0)
      << "kept ones are fetched again";
  fs::remove(file);
  Tidy(id);
}

// Wherever the broker is killed: what is listed afterwards is whole, and the next pull succeeds.
TEST_F(StoreOnDisk, KilledPullCountsAsNothingAndIsTakenUpAgain) {
  Output pushed = node().Push("store/big:1", {"--extra-layers", "4", "--layer-bytes", "8000000"});
  ASSERT_EQ(pushed.code, 0) << pushed.err;
  std::string name = absl::StrCat(kRegistry, "/store/big:1");
  for (int ms : {20, 80, 200, 400, 800}) {
    SCOPED_TRACE(ms);
    std::thread pulling([&] { Pull(name).IgnoreError(); });
    absl::SleepFor(absl::Milliseconds(ms));
    pid_t broker = node().Daemon("broker");
    if (broker > 0) kill(broker, SIGKILL);
    pulling.join();
    ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
      pid_t now = node().Daemon("broker");
      return now > 0 && now != broker && HasImage(kImage);
    }));
    Output checked = Check();
    EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
    if (HasImage(name)) Tidy(name);
  }
  EXPECT_THAT(Pull(name), IsOk());
  EXPECT_EQ(Check().code, 0);
  Tidy(name);
}

TEST_F(StoreOnDisk, PruneKeepsWhatIsUsedOrNamed) {
  std::string id = PullNew();
  Output none = node().Bulkhead({"image", "prune"});
  EXPECT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(none.out, "") << "both have tags";
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto used = Create(ContainerRequest(*pod, "main", {"/bin/true"}));  // of kImage
  ASSERT_THAT(used, IsOk());
  Output pruned = node().Bulkhead({"image", "prune", "--all"});
  EXPECT_EQ(pruned.out, id + "\n");
  EXPECT_TRUE(HasImage(kImage));
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
