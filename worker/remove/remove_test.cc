#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/ids.h"
#include "ipc/status_codec.h"
#include "worker/remove/job.h"

namespace bulkhead::remove {
namespace {

namespace fs = std::filesystem;

class RemoveTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/bulkhead-remove-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    fs::create_directory(dir_ / "layers");
    fs::create_directory(dir_ / "containers");
    fs::create_directory(dir_ / "outside");
    std::ofstream(dir_ / "outside/canary") << "x";
  }
  void TearDown() override { fs::remove_all(dir_); }
  absl::Status Run() {
    base::UniqueFd layers(open((dir_ / "layers").c_str(), O_PATH | O_CLOEXEC));
    base::UniqueFd containers(open((dir_ / "containers").c_str(), O_PATH | O_CLOEXEC));
    capnp::MallocMessageBuilder out;
    auto result = out.initRoot<schema::RemoveResult>();
    RunRemoveJob(job_.asReader(), {.layers = layers.get(), .containers = containers.get()}, result);
    return ipc::ReadStatus(result.asReader().getStatus());
  }
  fs::path dir_;
  std::unique_ptr<capnp::MallocMessageBuilder> message_ =
      std::make_unique<capnp::MallocMessageBuilder>();
  schema::RemoveJob::Builder job_ = message_->initRoot<schema::RemoveJob>();
};

TEST_F(RemoveTest, V15DeletesALayerAndFollowsNoLink) {
  const std::string digest(32, '\x5a');
  const fs::path layer = dir_ / "layers" / base::ToHex(digest);
  fs::create_directories(layer / "a/b");
  fs::create_directory_symlink(dir_ / "outside", layer / "a/link");
  fs::permissions(layer / "a/b", fs::perms::none);
  job_.initLayer().setBytes({reinterpret_cast<const uint8_t*>(digest.data()), digest.size()});
  EXPECT_TRUE(Run().ok());
  EXPECT_FALSE(fs::exists(layer));
  EXPECT_TRUE(fs::exists(dir_ / "outside/canary"));
  EXPECT_TRUE(Run().ok()) << "what is missing is success";
}

TEST_F(RemoveTest, DeletesAContainer) {
  const std::string id = base::NewId();
  fs::create_directories(dir_ / "containers" / id / "upper/etc");
  job_.setContainer(id);
  EXPECT_TRUE(Run().ok());
  EXPECT_TRUE(fs::is_empty(dir_ / "containers"));
}

TEST_F(RemoveTest, DeletesAHalfUnpackedLayer) {
  const std::string name = "tmp-0123456789abcdef0123456789abcdef";
  fs::create_directories(dir_ / "layers" / name / "etc");
  job_.setStaging(name);
  EXPECT_TRUE(Run().ok());
  EXPECT_TRUE(fs::is_empty(dir_ / "layers"));
}

TEST_F(RemoveTest, RefusesNamesThatAreNotOurs) {
  const auto refused = [&] { return Run().code() == absl::StatusCode::kInvalidArgument; };
  for (const char* name : {"", ".", "..", "../outside", "outside", "tmp-", "tmp-../../outside",
                           "tmp-0123456789ABCDEF0123456789ABCDEF", "tmp-0123"}) {
    job_.setStaging(name);
    EXPECT_TRUE(refused()) << name;
    job_.setContainer(name);
    EXPECT_TRUE(refused()) << name;
  }
  job_.initLayer().initBytes(31);
  EXPECT_TRUE(refused());
  EXPECT_TRUE(fs::exists(dir_ / "outside/canary"));
}

}  // namespace
}  // namespace bulkhead::remove
