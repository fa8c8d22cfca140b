#include "broker/plan/mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/state/record.h"

namespace bulkhead::broker {
namespace {

using testing::ElementsAre;

class MountsTest : public testing::Test {
 protected:
  MountsTest() {
    auto mounts = record_.edit().initConfig().initMounts(3);
    mounts[0].setContainerPath("/image");
    mounts[0].setImage("docker.io/library/data:1");
    mounts[0].setImageSubPath("etc");
    mounts[0].setReadonly(true);
    mounts[1].setContainerPath("/data");
    mounts[1].setHostPath("/host/data");
    mounts[1].setPropagation(schema::Mount::Propagation::BIDIRECTIONAL);
    mounts[2].setContainerPath("/etc/hosts");
    mounts[2].setHostPath("/host/hosts");
    mounts[2].setReadonly(true);
    auto images = record_.edit().initImageMounts(1);
    images[0].setMount(0);
    images[0].initLayers(2);
    auto more = cdi_.edit().initMounts(1);
    more[0].setContainerPath("/usr/lib/vendor");
    more[0].setHostPath("/opt/vendor");
  }
  absl::StatusOr<std::vector<std::string>> Own(const std::vector<std::string>& volumes) {
    auto list = image_.edit().initVolumes(volumes.size());
    for (size_t i = 0; i < volumes.size(); ++i) list.set(i, volumes[i]);
    return PlanOwnVolumes(record_.read().getConfig(), cdi_.read(), image_.read());
  }

  Record<schema::Container> record_;
  Record<schema::CdiEdits> cdi_;
  Record<schema::ImageConfig> image_;
};

// What is made and what is attached must be the same, by number.
TEST_F(MountsTest, BothWorkersCountAlike) {
  Record<schema::MountJob> job;
  Record<schema::ContainerSpec> spec;
  FillMounts(record_.read(), cdi_.read(), 1, job.edit());
  PlanMounts(record_.read().getConfig(), cdi_.read(), {"/var/own"}, spec.edit());
  auto volumes = job.read().getVolumes();
  ASSERT_EQ(volumes.size(), 3u);
  EXPECT_STREQ(volumes[0].getHostPath().cStr(), "/host/data");
  EXPECT_TRUE(volumes[0].getRecursive());
  EXPECT_TRUE(volumes[1].getReadOnly());
  EXPECT_STREQ(volumes[2].getHostPath().cStr(), "/opt/vendor");
  ASSERT_EQ(job.read().getImages().size(), 1u);
  EXPECT_STREQ(job.read().getImages()[0].getSubPath().cStr(), "etc");
  EXPECT_EQ(job.read().getImages()[0].getLayers().size(), 2u);
  EXPECT_EQ(job.read().getOwnVolumes(), 1);
  std::vector<std::string> planned;
  for (auto mount : spec.read().getMounts()) {
    planned.push_back(absl::StrCat(mount.getVolume(), mount.getDestination().cStr()));
  }
  EXPECT_THAT(planned,
              ElementsAre("3/image", "0/data", "1/etc/hosts", "2/usr/lib/vendor", "4/var/own"));
}

// V28: a request to relabel reaches nobody who could change a label of the node's files.
TEST_F(MountsTest, V28ARequestToRelabelChangesNoJob) {
  Record<schema::MountJob> before, after;
  FillMounts(record_.read(), cdi_.read(), 0, before.edit());
  record_.edit().getConfig().getMounts()[1].setSelinuxRelabel(true);
  FillMounts(record_.read(), cdi_.read(), 0, after.edit());
  EXPECT_EQ(before.Serialize(), after.Serialize());
}

TEST_F(MountsTest, VolumesOfTheImageThatNothingLiesOn) {
  auto own = Own({"/var/lib/db", "/data/", "/var//lib/db", "/usr/lib/vendor", "/logs"});
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_THAT(*own, ElementsAre("/var/lib/db", "/logs"));
}

// V14: what the image's author wrote does not lead out of the container, nor over what it needs.
TEST_F(MountsTest, V14AVolumeThatLeadsElsewhereIsRefused) {
  for (const char* path : {"/../../../../etc", "relative", "", "/", "/proc", "/proc/sys", "/sys/fs",
                           "/dev", "/dev/shm", "/a/../b", "/a\nb"}) {
    EXPECT_EQ(Own({path}).status().code(), absl::StatusCode::kFailedPrecondition) << path;
  }
}

TEST_F(MountsTest, V34VolumesAreBoundedAtTheirLimit) {
  std::vector<std::string> volumes;
  for (int i = 0; i < 32; ++i) volumes.push_back(absl::StrCat("/v", i));
  EXPECT_TRUE(Own(volumes).ok());
  volumes.push_back("/one-more");
  EXPECT_EQ(Own(volumes).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace bulkhead::broker
