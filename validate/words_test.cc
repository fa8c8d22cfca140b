#include <gtest/gtest.h>
#include <sys/mount.h>

#include "validate/cdi_name.h"
#include "validate/mount_options.h"

namespace bulkhead::validate {
namespace {

TEST(MountOptions, OnlyWhatTakesAway) {
  uint64_t attributes = 0;
  for (const char* word : {"ro", "nosuid", "nodev", "noexec", "noatime", "rw", "bind"}) {
    EXPECT_TRUE(AddMountOption(word, &attributes)) << word;
  }
  EXPECT_EQ(attributes, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                            MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
  EXPECT_TRUE(AreMountOptions(attributes));
  for (const char* word :
       {"rshared", "idmap", "size=1", "nosuid ", "NOEXEC", "remount", "upperdir=/"}) {
    EXPECT_FALSE(AddMountOption(word, &attributes)) << word;
  }
  EXPECT_FALSE(AreMountOptions(MOUNT_ATTR_IDMAP));
  EXPECT_FALSE(AreMountOptions(MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME));
}

TEST(CdiName, Grammar) {
  for (const char* good :
       {"vendor.com/class=dev", "nvidia.com/gpu=0", "a/b=c", "v-1.x_y/c=GPU-1:2"}) {
    EXPECT_TRUE(IsCdiQualifiedName(good)) << good;
  }
  for (const char* bad :
       {"", "vendor.com/class", "/class=dev", "vendor/=dev", "vendor/class=", "1v/class=dev",
        "v/c=../x", "v/c=a b", "v/c/d=a", "v/c=a=b", "-v/c=a", "v/c=-a", "v./c=a"}) {
    EXPECT_FALSE(IsCdiQualifiedName(bad)) << bad;
  }
  EXPECT_FALSE(IsCdiDeviceName(std::string(254, 'a')));
  EXPECT_TRUE(IsCdiDeviceName(std::string(253, 'a')));
}

}  // namespace
}  // namespace bulkhead::validate
