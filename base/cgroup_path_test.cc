#include "base/cgroup_path.h"

#include <gtest/gtest.h>

namespace bulkhead::base {
namespace {

TEST(CgroupPath, TakesPathsAsTheyAre) {
  EXPECT_EQ(*CgroupPath("/kubepods/pod1/abc"), "/kubepods/pod1/abc");
}

TEST(CgroupPath, SpellsSystemdSlicesOut) {
  EXPECT_EQ(*CgroupPath("kubepods-burstable-pod1_2.slice:bulkhead:abc"),
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
            "bulkhead-abc.scope");
  EXPECT_EQ(*CgroupPath("system.slice:bulkhead:abc"), "/system.slice/bulkhead-abc.scope");
  EXPECT_EQ(*CgroupPath("-.slice:bulkhead:abc"), "/bulkhead-abc.scope");
}

TEST(CgroupPath, RefusesAllElse) {
  for (const char* bad :
       {"", "/", "a/b", "/a/../b", "/a/", "a.slice:b", "a.slice:b:c:d", "a:b:c", "a--b.slice:b:c",
        "a.slice:../b:c", "a.slice:b:", ".slice:b:c", "a/b.slice:b:c", "a.slice::c"}) {
    EXPECT_EQ(CgroupPath(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace bulkhead::base
