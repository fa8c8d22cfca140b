#include "broker/plan/pod_cgroup.h"

#include <capnp/pretty-print.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/state/record.h"

namespace bulkhead::broker {
namespace {

using testing::HasSubstr;
using Driver = schema::Host::CgroupDriver;
using Mode = schema::Host::CgroupMode;

constexpr char kUid[] = "1b2e-77aa";
constexpr char kId[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string Plan(Driver driver, const std::string& parent, const std::string& uid = kUid) {
  Record<schema::Config> node;
  node.edit().initHost().setCgroupDriver(driver);
  Record<schema::PodConfig> pod;
  pod.edit().setCgroupParent(parent);
  pod.edit().setUid(uid);
  const auto planned = PlanPodCgroup(node.read(), pod.read(), kId);
  return planned.ok() ? *planned : std::string(planned.status().message());
}

TEST(PlanPodCgroupTest, KubeletsParentIsThePodsOwn) {
  EXPECT_EQ(Plan(Driver::CGROUPFS, "/kubepods/burstable/pod1b2e-77aa"),
            "/kubepods/burstable/pod1b2e-77aa");
  EXPECT_EQ(Plan(Driver::SYSTEMD,
                 "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b2e_77aa.slice"),
            "kubepods-burstable-pod1b2e_77aa.slice");
  EXPECT_EQ(Plan(Driver::SYSTEMD, "kubepods-pod1b2e_77aa.slice"), "kubepods-pod1b2e_77aa.slice");
}

TEST(PlanPodCgroupTest, AnyOtherParentIsManyPods) {
  EXPECT_EQ(Plan(Driver::CGROUPFS, "/batch"), std::string("/batch/") + kId);
  EXPECT_EQ(Plan(Driver::CGROUPFS, "/"), std::string("/") + kId);
  EXPECT_EQ(Plan(Driver::CGROUPFS, ""), std::string("/bulkhead-pods/") + kId);
  EXPECT_EQ(Plan(Driver::CGROUPFS, "/kubepods/podx", "x"), std::string("/kubepods/podx/") + kId);
  EXPECT_EQ(Plan(Driver::CGROUPFS, "/a/podb/c", "b/c"), std::string("/a/podb/c/") + kId);
  EXPECT_EQ(Plan(Driver::SYSTEMD, "batch.slice"), std::string("batch-pod") + kId + ".slice");
  EXPECT_EQ(Plan(Driver::SYSTEMD, ""), std::string("bulkhead-pod") + kId + ".slice");
}

TEST(V27, ParentsThatTheDriverCannotHaveAreRefused) {
  EXPECT_THAT(Plan(Driver::CGROUPFS, "a.slice"), HasSubstr("config.linux.cgroup_parent: "));
  EXPECT_THAT(Plan(Driver::SYSTEMD, "/kubepods/burstable"), HasSubstr("not a .slice"));
  EXPECT_THAT(Plan(Driver::SYSTEMD, "a--b.slice"), HasSubstr("not a slice's name"));
  EXPECT_THAT(Plan(Driver::SYSTEMD, "/a.slice/b:c.slice"), HasSubstr("not a slice's name"));
}

TEST(PathOfPodCgroupTest, SlicesAreNested) {
  EXPECT_EQ(PathOfPodCgroup("/a/b"), "/a/b");
  EXPECT_EQ(PathOfPodCgroup("a-podb.slice"), "/a.slice/a-podb.slice");
  EXPECT_EQ(PathOfPodCgroup("no slice"), "");
}

TEST(AddUpTest, OverheadComesOnTop) {
  Record<schema::Resources> resources, overhead, sum;
  resources.edit().setMemoryLimit(100);
  resources.edit().setCpuShares(512);
  resources.edit().setCpuQuota(20000);
  resources.edit().setCpuPeriod(100000);
  overhead.edit().setMemoryLimit(11);
  overhead.edit().setCpuShares(100);
  overhead.edit().setCpuQuota(5000);
  overhead.edit().setCpuPeriod(50000);
  AddUp(resources.read(), overhead.read(), sum.edit());
  EXPECT_EQ(sum.read().getMemoryLimit(), 111);
  EXPECT_EQ(sum.read().getCpuShares(), 612);
  EXPECT_EQ(sum.read().getCpuQuota(), 30000);
  EXPECT_EQ(sum.read().getCpuPeriod(), 100000);
}

TEST(AddUpTest, UnlimitedStaysUnlimited) {
  Record<schema::Resources> resources, overhead, sum;
  resources.edit().setCpuQuota(-1);
  overhead.edit().setMemoryLimit(11);
  overhead.edit().setCpuQuota(5000);
  AddUp(resources.read(), overhead.read(), sum.edit());
  EXPECT_EQ(sum.read().getMemoryLimit(), 0);
  EXPECT_EQ(sum.read().getCpuQuota(), -1);
}

class PlanUpdateTest : public testing::Test {
 protected:
  PlanUpdateTest() {
    now_.edit().setCpuShares(512);
    now_.edit().setCpuPeriod(100000);
    now_.edit().setCpuQuota(20000);
    now_.edit().setMemoryLimit(100);
    now_.edit().setMemorySwapLimit(100);
    now_.edit().setOomScoreAdj(500);
  }
  absl::Status Plan(Mode mode = Mode::V2) {
    return PlanUpdate(mode, now_.read(), asked_.read(), merged_.edit(), change_.edit());
  }
  Record<schema::Resources> now_, asked_, merged_, change_;
};

// An empty list is as good as none.
std::string Text(schema::Resources::Reader resources) {
  Record<schema::Resources> whole(resources);
  auto edit = whole.edit();
  if (edit.getCpusetCpus().size() == 0) edit.disownCpusetCpus();
  if (edit.getCpusetMems().size() == 0) edit.disownCpusetMems();
  if (edit.getHugepageLimits().size() == 0) edit.disownHugepageLimits();
  if (edit.getUnified().size() == 0) edit.disownUnified();
  return capnp::prettyPrint(whole.read()).flatten().cStr();
}

TEST_F(PlanUpdateTest, NothingAskedChangesNothing) {
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(Text(merged_.read()), Text(now_.read()));
  EXPECT_EQ(Text(change_.read()), Text(Record<schema::Resources>().read()));
}

TEST_F(PlanUpdateTest, WhatIsTheSameIsNotWrittenAgain) {
  asked_.edit().setCpuShares(512);
  asked_.edit().setMemoryLimit(100);
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(change_.Serialize(), Record<schema::Resources>().Serialize());
}

TEST_F(PlanUpdateTest, PairsGoTogether) {
  asked_.edit().setCpuQuota(30000);
  asked_.edit().setMemoryLimit(90);
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(change_.read().getCpuPeriod(), 100000);
  EXPECT_EQ(change_.read().getCpuQuota(), 30000);
  EXPECT_EQ(change_.read().getMemoryLimit(), 90);
  EXPECT_EQ(change_.read().getMemorySwapLimit(), 100);
  EXPECT_EQ(change_.read().getCpuShares(), 0);
  EXPECT_EQ(merged_.read().getCpuShares(), 512);
}

TEST_F(PlanUpdateTest, TheScoreOfARunningProcessStays) {
  asked_.edit().setOomScoreAdj(900);
  ASSERT_TRUE(Plan().ok());
  EXPECT_EQ(merged_.read().getOomScoreAdj(), 500);
}

TEST_F(PlanUpdateTest, FilesOfV2AreRefusedOnV1) {
  auto unified = asked_.edit().initUnified(1);
  unified[0].setKey("memory.high");
  unified[0].setValue("50");
  EXPECT_THAT(std::string(Plan(Mode::V1).message()), HasSubstr("linux.unified"));
  EXPECT_FALSE(Plan(Mode::HYBRID).ok());
  ASSERT_TRUE(Plan(Mode::V2).ok());
  EXPECT_EQ(change_.read().getUnified().size(), 1u);
}

}  // namespace
}  // namespace bulkhead::broker
