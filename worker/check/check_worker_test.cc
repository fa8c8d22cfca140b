// The real program under its profile, as the broker speaks to it.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "schema/worker/check.capnp.h"
#include "security/profile.h"
#include "worker/check/tree_digest.h"
#include "worker/import/live_worker.h"

namespace bulkhead::worker {
namespace {

namespace fs = std::filesystem;

class CheckWorker : public testing::Test {
 protected:
  CheckWorker() {
    char name[] = "/tmp/checkworkerXXXXXX";
    top_ = mkdtemp(name);
    fs::create_directories(top_ / hex_ / "secret");
    std::ofstream(top_ / hex_ / "secret/shadow") << "contents";
    chmod((top_ / hex_ / "secret/shadow").c_str(), 0);
    chmod((top_ / hex_ / "secret").c_str(), 0);
    layers_ = base::UniqueFd(open(top_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~CheckWorker() override { fs::remove_all(top_); }

  // Owners that are no one's on the node, as a layer's are.
  void GiveAway() {
    for (const char* name : {"secret/shadow", "secret", "."}) {
      ASSERT_EQ(lchown((top_ / hex_ / name).c_str(), 0x80000000u, 0x80000000u), 0);
    }
  }

  const std::string hex_ = std::string(64, 'a');
  fs::path top_;
  base::UniqueFd layers_;
};

TEST_F(CheckWorker, HashesALayerThatNobodyElseMayRead) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start a worker";
  GiveAway();
  LiveWorker worker(security::kCheckProfile, BULKHEAD_PROGRAMS, {layers_.get()});
  capnp::MallocMessageBuilder job;
  std::string digest = base::FromHex(hex_);
  job.initRoot<schema::CheckJob>().initLayer().setBytes(
      kj::StringPtr(digest.c_str(), digest.size()).asBytes());
  worker.Send(job, {});
  ipc::Received answer = worker.Receive();
  auto result = answer.As<schema::CheckResult>();
  ASSERT_TRUE(ipc::ReadStatus(result.getStatus()).ok()) << ipc::ReadStatus(result.getStatus());
  base::UniqueFd tree(open((top_ / hex_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  auto bytes = result.getDigest().getBytes().asChars();
  EXPECT_EQ(std::string(bytes.begin(), bytes.size()), HashTree(tree.get())->digest);
  EXPECT_EQ(result.getBytes(), 8u);
}

TEST_F(CheckWorker, HashesAFile) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start a worker";
  LiveWorker worker(security::kCheckProfile, BULKHEAD_PROGRAMS, {layers_.get()});
  base::UniqueFd file(memfd_create("file", MFD_CLOEXEC));
  ASSERT_TRUE(base::WriteAll(file.get(), "contents").ok());
  capnp::MallocMessageBuilder job;
  job.initRoot<schema::CheckJob>().setFile();
  worker.Send(job, {file.get()});
  ipc::Received answer = worker.Receive();
  auto result = answer.As<schema::CheckResult>();
  ASSERT_TRUE(ipc::ReadStatus(result.getStatus()).ok()) << ipc::ReadStatus(result.getStatus());
  auto bytes = result.getDigest().getBytes().asChars();
  EXPECT_EQ(std::string(bytes.begin(), bytes.size()), HashFile(file.get())->digest);
}

TEST_F(CheckWorker, MissingLayerIsNotFound) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start a worker";
  LiveWorker worker(security::kCheckProfile, BULKHEAD_PROGRAMS, {layers_.get()});
  capnp::MallocMessageBuilder job;
  std::string digest(32, 'x');
  job.initRoot<schema::CheckJob>().initLayer().setBytes(
      kj::StringPtr(digest.c_str(), digest.size()).asBytes());
  worker.Send(job, {});
  ipc::Received answer = worker.Receive();
  EXPECT_TRUE(absl::IsNotFound(ipc::ReadStatus(answer.As<schema::CheckResult>().getStatus())));
}

}  // namespace
}  // namespace bulkhead::worker
