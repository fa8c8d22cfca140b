// The job against this node's own cgroups.
#include "base/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "worker/cgroup/job.h"
#include "worker/cgroup/tree.h"

namespace bulkhead::cgroup {
namespace {

using testing::HasSubstr;
using Mode = schema::Host::CgroupMode;

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<base::CgroupMode> mode = base::DetectCgroupMode();
    if (geteuid() != 0 || !mode.ok()) GTEST_SKIP() << "needs root and cgroups";
    v2_ = *mode == base::CgroupMode::kV2;
    job_.setCgroupMode(v2_ ? Mode::V2 : *mode == base::CgroupMode::kV1 ? Mode::V1 : Mode::HYBRID);
    root_.Reset(open(base::kCgroupMount, O_PATH | O_CLOEXEC));
    parent_ = absl::StrCat("/bulkhead-test-", getpid());
    path_ = absl::StrCat(parent_, "/pods/", id_);
    job_.setPath(path_);
    job_.setOwnName(id_);
  }
  void TearDown() override {
    if (!root_) return;
    EXPECT_FALSE(Exists(parent_)) << "left behind";
    const auto mode = v2_ ? base::CgroupMode::kV2 : base::CgroupMode::kHybrid;
    EXPECT_TRUE(base::RemoveCgroup(root_.get(), mode, parent_).ok());
  }

  absl::Status Run() {
    capnp::MallocMessageBuilder out;
    auto result = out.initRoot<schema::CgroupResult>();
    RunCgroupJob(job_.asReader(), root_.get(), result);
    return ipc::ReadStatus(result.asReader().getStatus());
  }
  absl::Status Make(int64_t memory = 0, int64_t shares = 0) {
    auto limits = job_.initMake();
    limits.setMemoryLimit(memory);
    limits.setCpuShares(shares);
    return Run();
  }
  absl::Status Remove() {
    job_.setRemove();
    return Run();
  }
  std::string Directory(const std::string& controller, const std::string& path) {
    return v2_ ? path.substr(1) : absl::StrCat(controller, path);
  }
  bool Exists(const std::string& path) {
    struct stat st;
    return fstatat(root_.get(), Directory("memory", path).c_str(), &st, 0) == 0;
  }
  std::string Read(const std::string& controller, const std::string& file) {
    const auto text = base::ReadFile(
        absl::StrCat(base::kCgroupMount, "/", Directory(controller, path_), "/", file), 4096);
    return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : text.status().ToString();
  }
  std::string Memory() { return Read("memory", v2_ ? "memory.max" : "memory.limit_in_bytes"); }
  std::string Shares() { return Read("cpu", v2_ ? "cpu.weight" : "cpu.shares"); }
  void MakeByHand(const std::string& path) {
    const auto hierarchies = Hierarchies(root_.get(), v2_);
    ASSERT_TRUE(hierarchies.ok());
    for (const std::string& hierarchy : *hierarchies) {
      const std::string name = hierarchy.empty() ? path.substr(1) : absl::StrCat(hierarchy, path);
      ASSERT_TRUE(base::MakeDirectory(root_.get(), name, 0755).ok());
    }
  }
  void RemoveByHand(const std::string& path) {
    const auto mode = v2_ ? base::CgroupMode::kV2 : base::CgroupMode::kHybrid;
    ASSERT_TRUE(base::RemoveCgroup(root_.get(), mode, path).ok());
  }

  bool v2_ = false;
  base::UniqueFd root_;
  const std::string id_ = base::NewId();
  std::string parent_, path_;
  // By pointer: its destructor may throw, a test's may not.
  std::unique_ptr<capnp::MallocMessageBuilder> message_ =
      std::make_unique<capnp::MallocMessageBuilder>();
  schema::CgroupJob::Builder job_ = message_->initRoot<schema::CgroupJob>();
};

TEST_F(CgroupTest, MakesLimitsAndRemoves) {
  ASSERT_TRUE(Make(64 << 20, 512).ok());
  EXPECT_EQ(Memory(), "67108864");
  EXPECT_EQ(Shares(), v2_ ? "20" : "512");
  EXPECT_TRUE(Make(64 << 20, 512).ok()) << "once more";
  job_.initLimit().setMemoryLimit(128 << 20);
  job_.setOurs(true);
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(Memory(), "134217728");
  EXPECT_EQ(Shares(), v2_ ? "20" : "512");
  EXPECT_TRUE(Remove().ok());
  EXPECT_FALSE(Exists(parent_));
  EXPECT_TRUE(Remove().ok()) << "nothing is there any more";
}

TEST_F(CgroupTest, AProcessCanLiveInIt) {
  ASSERT_TRUE(Make(64 << 20).ok());
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const auto hierarchies = Hierarchies(root_.get(), v2_);
  for (const std::string& hierarchy : *hierarchies) {
    const std::string procs = absl::StrCat(Directory(hierarchy, path_), "/cgroup.procs");
    EXPECT_TRUE(base::WriteKernelFile(root_.get(), procs, absl::StrCat(child)).ok()) << hierarchy;
  }
  EXPECT_FALSE(Remove().ok()) << "somebody is in it";
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(Remove().ok());
}

TEST_F(CgroupTest, AnothersIsNeitherLimitedNorRemoved) {
  for (const std::string& path : {parent_, absl::StrCat(parent_, "/pods"), path_}) MakeByHand(path);
  const std::string before = Memory();
  EXPECT_TRUE(Make(64 << 20).ok());
  job_.initLimit().setMemoryLimit(128 << 20);
  job_.setOurs(true);
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(Memory(), before);
  EXPECT_TRUE(Remove().ok());
  EXPECT_TRUE(Exists(path_));
  RemoveByHand(parent_);
}

TEST_F(CgroupTest, AParentThatIsNotOursStays) {
  MakeByHand(parent_);
  ASSERT_TRUE(Make().ok());
  EXPECT_TRUE(Remove().ok());
  EXPECT_FALSE(Exists(absl::StrCat(parent_, "/pods")));
  EXPECT_TRUE(Exists(parent_));
  RemoveByHand(parent_);
}

TEST_F(CgroupTest, AParentWithAnotherPodStays) {
  ASSERT_TRUE(Make().ok());
  const std::string other = base::NewId(), mine = path_;
  job_.setPath(absl::StrCat(parent_, "/pods/", other));
  job_.setOwnName(other);
  ASSERT_TRUE(Make().ok());
  EXPECT_TRUE(Remove().ok());
  EXPECT_TRUE(Exists(mine));
  job_.setPath(mine);
  job_.setOwnName(id_);
  EXPECT_TRUE(Remove().ok());
}

TEST_F(CgroupTest, AllLimitsOrNone) {
  ASSERT_TRUE(Make(64 << 20, 512).ok());
  auto limits = job_.initLimit();
  limits.setCpuShares(1024);
  limits.setMemoryLimit(32 << 20);
  limits.setCpusetCpus("0-9999");
  const absl::Status refused = Run();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("linux.cpuset_cpus: "));
  EXPECT_EQ(Shares(), v2_ ? "20" : "512");
  EXPECT_EQ(Memory(), "67108864");
  EXPECT_TRUE(Remove().ok());
}

TEST_F(CgroupTest, AContainersCgroupNeedsNoMark) {
  for (const std::string& path : {parent_, absl::StrCat(parent_, "/pods"), path_}) MakeByHand(path);
  if (v2_) {
    for (const std::string& at : {std::string("/"), parent_ + "/", parent_ + "/pods/"}) {
      ASSERT_TRUE(base::WriteKernelFile(root_.get(), at.substr(1) + "cgroup.subtree_control",
                                        "+memory +cpu")
                      .ok());
    }
  }
  job_.initLimit().setMemoryLimit(128 << 20);
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(Memory(), "134217728");
  RemoveByHand(parent_);
  EXPECT_EQ(Run().code(), absl::StatusCode::kFailedPrecondition) << "no such cgroup";
}

TEST_F(CgroupTest, V27PathsThatAreNotTheOwnAreRefused) {
  for (const std::string& path :
       {std::string("/"), std::string("/kubepods"), absl::StrCat("/", id_, "/other"),
        absl::StrCat("/../", id_), absl::StrCat("a/", id_), absl::StrCat("/a//", id_)}) {
    job_.setPath(path);
    EXPECT_EQ(Make().code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(Remove().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  job_.setPath("/kubepods");
  job_.setOwnName("kube");
  EXPECT_EQ(Make().code(), absl::StatusCode::kInvalidArgument) << "too short to tell";
}

TEST_F(CgroupTest, V27FilesThatMoveOrKillAreRefused) {
  for (const char* file :
       {"cgroup.procs", "cgroup.kill", "cgroup.subtree_control", "memory/../x.y"}) {
    auto unified = job_.initMake().initUnified(1);
    unified[0].setKey(file);
    unified[0].setValue("1");
    job_.setCgroupMode(Mode::V2);
    EXPECT_EQ(Run().code(), absl::StatusCode::kInvalidArgument) << file;
  }
}

}  // namespace
}  // namespace bulkhead::cgroup
