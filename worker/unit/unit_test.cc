// The job against this node's systemd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "worker/unit/job.h"

namespace bulkhead::unit {
namespace {

class UnitTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<std::string> init = base::ReadFile("/proc/1/comm", 64);
    if (geteuid() != 0 || !init.ok() || *init != "systemd\n") GTEST_SKIP() << "needs systemd";
    v2_ = *base::DetectCgroupMode() == base::CgroupMode::kV2;
    job_.setPodId(id_);
    job_.setOwnName(id_);
    job_.setUnit(absl::StrCat("bulkheadtest-", id_, ".slice"));
    job_.setV2(v2_);
  }

  absl::Status Run(bool* ours = nullptr) {
    capnp::MallocMessageBuilder out;
    auto result = out.initRoot<schema::UnitResult>();
    RunUnitJob(job_.asReader(), result);
    if (ours != nullptr) *ours = result.getOurs();
    return ipc::ReadStatus(result.asReader().getStatus());
  }
  std::string Memory() {
    const std::string directory =
        absl::StrCat(base::kCgroupMount, v2_ ? "" : "/memory", "/bulkheadtest.slice/",
                     std::string(job_.getUnit().cStr()));
    const auto text =
        base::ReadFile(absl::StrCat(directory, v2_ ? "/memory.max" : "/memory.limit_in_bytes"), 64);
    return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : "none";
  }

  bool v2_ = false;
  const std::string id_ = base::NewId();
  // By pointer: its destructor may throw, a test's may not.
  std::unique_ptr<capnp::MallocMessageBuilder> message_ =
      std::make_unique<capnp::MallocMessageBuilder>();
  schema::UnitJob::Builder job_ = message_->initRoot<schema::UnitJob>();
};

TEST_F(UnitTest, MakesLimitsAndRemoves) {
  bool ours = false;
  auto limits = job_.initMake();
  limits.setMemoryLimit(64 << 20);
  limits.setCpuShares(512);
  limits.setCpuQuota(50000);
  limits.setCpuPeriod(100000);
  limits.setCpusetCpus("0");
  absl::Status status = Run(&ours);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(ours);
  EXPECT_EQ(Memory(), "67108864");
  status = Run(&ours);
  EXPECT_TRUE(status.ok() && ours) << status;
  job_.initLimit().setMemoryLimit(128 << 20);
  status = Run();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Memory() == "134217728" || (sleep(1), Memory() == "134217728")) << Memory();
  job_.setRemove();
  status = Run();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Memory(), "none");
  EXPECT_TRUE(Run().ok()) << "nothing is there any more";
  job_.initLimit().setMemoryLimit(128 << 20);
  EXPECT_EQ(Run().code(), absl::StatusCode::kNotFound);
}

TEST_F(UnitTest, AnotherPodsSliceIsLeftAlone) {
  bool ours = true;
  job_.initMake().setMemoryLimit(64 << 20);
  ASSERT_TRUE(Run().ok());
  job_.setPodId(base::NewId());
  job_.initMake().setMemoryLimit(32 << 20);
  EXPECT_TRUE(Run(&ours).ok());
  EXPECT_FALSE(ours);
  EXPECT_EQ(Memory(), "67108864");
  job_.setRemove();
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(Memory(), "67108864");
  job_.setPodId(id_);
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(Memory(), "none");
}

TEST_F(UnitTest, V27UnitsThatAreNotTheOwnAreRefused) {
  for (const char* unit :
       {"ssh.service", "-.slice", "a/b.slice", "x\xc3\xa9.slice", "init.scope", ".slice"}) {
    job_.setUnit(unit);
    for (const auto begin : {0, 1}) {
      if (begin == 0)
        job_.setRemove();
      else
        job_.initMake();
      EXPECT_EQ(Run().code(), absl::StatusCode::kInvalidArgument) << unit;
    }
  }
  job_.setUnit("system.slice");
  job_.setOwnName("system");
  EXPECT_EQ(Run().code(), absl::StatusCode::kInvalidArgument) << "too short to tell";
}

}  // namespace
}  // namespace bulkhead::unit
