#include "validate/network.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::validate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<NetworkWishes> Read(const char* key, const char* value) {
  capnp::MallocMessageBuilder pod_message, node_message;
  auto pod = pod_message.initRoot<schema::PodConfig>();
  auto node = node_message.initRoot<schema::Config>();
  node.setCniIpsAnnotation("example.com/ips");
  node.setCniMacAnnotation("example.com/mac");
  auto annotation = pod.initAnnotations(1)[0];
  annotation.setKey(key);
  annotation.setValue(value);
  return ReadNetworkWishes(pod, node);
}

TEST(ParseQuantity, ReadsWhatKubernetesWrites) {
  const struct {
    const char* text;
    uint64_t value;
  } cases[] = {{"0", 0},         {"10M", 10000000},       {"1Ki", 1024}, {"1.5k", 1500},
               {"1e6", 1000000}, {"1E3", 1000},           {"2500m", 3},  {"+1G", 1000000000},
               {".5k", 500},     {"1P", 1000000000000000}};
  for (const auto& test : cases) {
    uint64_t value = 7;
    EXPECT_TRUE(ParseQuantity(test.text, &value)) << test.text;
    EXPECT_EQ(value, test.value) << test.text;
  }
  for (const char* text :
       {"", "M", "10MB", "-1", "inf", "nan", " 1", "1 ", "0x10", "1K", "9E", "1e", "1..2"}) {
    uint64_t value = 0;
    EXPECT_FALSE(ParseQuantity(text, &value)) << text;
  }
}

TEST(NetworkWishes, OfKnownAnnotations) {
  EXPECT_EQ(Read("kubernetes.io/ingress-bandwidth", "10M")->ingress_bits_per_second, 10000000u);
  EXPECT_EQ(Read("kubernetes.io/egress-bandwidth", "1Gi")->egress_bits_per_second, 1073741824u);
  EXPECT_THAT(Read("example.com/ips", "10.1.0.9/24, fd00::9")->ips,
              ElementsAre("10.1.0.9/24", "fd00::9"));
  EXPECT_EQ(Read("example.com/mac", "02:00:00:00:00:AB")->mac, "02:00:00:00:00:ab");
  EXPECT_TRUE(Read("something.else/ips", "garbage")->ips.empty());
}

TEST(NetworkWishes, NameTheAnnotationThatIsWrong) {
  const struct {
    const char* key;
    const char* value;
  } cases[] = {{"kubernetes.io/ingress-bandwidth", "fast"},
               {"kubernetes.io/egress-bandwidth", "1"},
               {"kubernetes.io/egress-bandwidth", "2P"},
               {"example.com/ips", "10.1.0.9/33"},
               {"example.com/ips", "10.1.0.9,"},
               {"example.com/mac", "01:00:00:00:00:01"},
               {"example.com/mac", "02:00:00:00:01"},
               {"example.com/ips", "web-0"}};
  for (const auto& test : cases) {
    auto read = Read(test.key, test.value);
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << test.key << " " << test.value;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(test.key));
  }
}

TEST(PodCidr, IsOneSubnetOfEachFamily) {
  EXPECT_THAT(*ReadPodCidr("f", "10.1.0.0/24,fd00::/64"), ElementsAre("10.1.0.0/24", "fd00::/64"));
  EXPECT_TRUE(ReadPodCidr("f", "")->empty());
  for (const char* text : {"10.1.0.0", "10.1.0.0/24,10.2.0.0/24", "x/24", "10.1.0.0/24,", "/"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadPodCidr("f", text).status())) << text;
  }
}

}  // namespace
}  // namespace bulkhead::validate
