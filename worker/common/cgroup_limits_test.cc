#include "worker/common/cgroup_limits.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/cgroup.h"

namespace bulkhead::cgroup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LimitsTest : public testing::Test {
 protected:
  std::vector<std::string> V1() { return Words(LimitsV1(resources_.asReader())); }
  std::vector<std::string> V2() { return Words(LimitsV2(resources_.asReader())); }
  static std::vector<std::string> Words(const std::vector<Limit>& limits) {
    std::vector<std::string> words;
    for (const Limit& limit : limits) {
      words.push_back(absl::StrCat(limit.controller, "/", limit.file, "=", limit.value));
    }
    return words;
  }

  // By pointer: its destructor may throw, a test's may not.
  std::unique_ptr<capnp::MallocMessageBuilder> message_ =
      std::make_unique<capnp::MallocMessageBuilder>();
  schema::Resources::Builder resources_ = message_->initRoot<schema::Resources>();
};

TEST_F(LimitsTest, NothingAskedIsNothingWritten) {
  EXPECT_THAT(V1(), IsEmpty());
  EXPECT_THAT(V2(), IsEmpty());
}

TEST_F(LimitsTest, WhatKubeletSetsForV1) {
  resources_.setCpuShares(512);
  resources_.setCpuPeriod(100000);
  resources_.setCpuQuota(50000);
  resources_.setMemoryLimit(1 << 20);
  resources_.setMemorySwapLimit(1 << 21);
  resources_.setCpusetCpus("0-1");
  resources_.setCpusetMems("0");
  auto pages = resources_.initHugepageLimits(1);
  pages[0].setPageSize("2MB");
  pages[0].setLimit(4 << 20);
  EXPECT_THAT(V1(), ElementsAre("cpu/cpu.shares=512", "cpu/cpu.cfs_period_us=100000",
                                "cpu/cpu.cfs_quota_us=50000", "cpuset/cpuset.cpus=0-1",
                                "cpuset/cpuset.mems=0", "memory/memory.limit_in_bytes=1048576",
                                "memory/memory.memsw.limit_in_bytes=2097152",
                                "hugetlb/hugetlb.2MB.limit_in_bytes=4194304"));
}

TEST_F(LimitsTest, WhatKubeletSetsForV2) {
  resources_.setCpuShares(1024);
  resources_.setCpuPeriod(100000);
  resources_.setCpuQuota(50000);
  resources_.setMemoryLimit(1 << 20);
  resources_.setMemorySwapLimit(1 << 21);
  resources_.setCpusetCpus("1");
  auto unified = resources_.initUnified(1);
  unified[0].setKey("memory.high");
  unified[0].setValue("900000");
  EXPECT_THAT(V2(), ElementsAre("cpu/cpu.weight=39", "cpu/cpu.max=50000 100000",
                                "cpuset/cpuset.cpus=1", "memory/memory.max=1048576",
                                "memory/memory.swap.max=1048576", "memory/memory.high=900000"));
}

TEST_F(LimitsTest, NoSwapIsTheMemoryLimitTwice) {
  resources_.setMemoryLimit(1 << 20);
  resources_.setMemorySwapLimit(1 << 20);
  EXPECT_THAT(V2(), ElementsAre("memory/memory.max=1048576", "memory/memory.swap.max=0"));
}

TEST_F(LimitsTest, LessThanZeroIsUnlimited) {
  resources_.setCpuQuota(-1);
  resources_.setMemorySwapLimit(-1);
  EXPECT_THAT(V2(), ElementsAre("cpu/cpu.max=max", "memory/memory.swap.max=max"));
  EXPECT_THAT(V1(),
              ElementsAre("cpu/cpu.cfs_quota_us=-1", "memory/memory.memsw.limit_in_bytes=-1"));
  resources_.setCpuPeriod(20000);
  EXPECT_THAT(V2(), ElementsAre("cpu/cpu.max=max 20000", "memory/memory.swap.max=max"));
}

TEST(WeightOfSharesTest, EndsAndMiddle) {
  EXPECT_EQ(base::WeightOfShares(2), 1u);
  EXPECT_EQ(base::WeightOfShares(1), 1u);
  EXPECT_EQ(base::WeightOfShares(1024), 39u);
  EXPECT_EQ(base::WeightOfShares(262144), 10000u);
  EXPECT_EQ(base::WeightOfShares(INT64_MAX), 10000u);
}

}  // namespace
}  // namespace bulkhead::cgroup
