// Debian's plugins, kind by kind.
#include "worker/cni/plugins_fixture_test.h"

namespace bulkhead::cni {
namespace {

TEST_F(PluginsTest, ReachesOutOfThePodUnderTheNodesAddress) {
  Pod outside, pod;
  Sandbox(outside, true);
  const std::string node = absl::StrCat(getpid());
  ASSERT_TRUE(InNamespace(Pin(outside), [&] {
    return Command("ip link add out1 type veth peer name out0 netns " + node) &&
           Command("ip addr add 198.51.100.2/24 dev out1 && ip link set out1 up");
  }));
  ASSERT_TRUE(Command("ip addr add 198.51.100.1/24 dev out0 && ip link set out0 up"));
  WriteConfig("", R"(,"ipMasq":true)");
  Sandbox(pod, true);
  const absl::Status added = Cni(Operation::ADD, pod);
  ASSERT_TRUE(added.ok()) << added;
  // It has no route back to the pod's own address.
  EXPECT_TRUE(InNamespace(Pin(pod), [] { return Ping("198.51.100.2"); }));
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
}

TEST_F(PluginsTest, PointToPointLinksMeetAtTheNode) {
  WriteList(R"({"type":"ptp","ipMasq":false,)" + Ipam("10.66.0.0/24") + "}");
  Pod a, b;
  for (Pod* pod : {&a, &b}) {
    Sandbox(*pod, true);
    const absl::Status added = Cni(Operation::ADD, *pod);
    ASSERT_TRUE(added.ok()) << added;
    ASSERT_EQ(pod->ips.size(), 1u);
  }
  EXPECT_TRUE(InNamespace(Pin(a), [&] { return Ping(b.ips[0]); }));
  EXPECT_TRUE(Cni(Operation::CHECK, a).ok());
  for (Pod* pod : {&a, &b}) EXPECT_TRUE(Cni(Operation::DEL, *pod).ok());
  EXPECT_THAT(Leases(), IsEmpty());
  EXPECT_EQ(Veths(), 0);
}

TEST_F(PluginsTest, MacvlanPodsShareALink) {
  ASSERT_TRUE(
      Command("ip link add up0 type veth peer name up1 && ip link set up0 up && "
              "ip link set up1 up"));
  WriteList(R"({"type":"macvlan","master":"up0","mode":"bridge",)" + Ipam("10.66.0.0/24") + "}");
  Pod a, b;
  for (Pod* pod : {&a, &b}) {
    Sandbox(*pod, true);
    const absl::Status added = Cni(Operation::ADD, *pod);
    if (absl::StrContains(added.message(), "not supported")) GTEST_SKIP() << added;
    ASSERT_TRUE(added.ok()) << added;
    ASSERT_EQ(pod->ips.size(), 1u);
  }
  EXPECT_TRUE(InNamespace(Pin(a), [&] { return Ping(b.ips[0]); }));
  for (Pod* pod : {&a, &b}) EXPECT_TRUE(Cni(Operation::DEL, *pod).ok());
  EXPECT_THAT(Leases(), IsEmpty());
}

TEST_F(PluginsTest, BandwidthIsWhatThePodAskedFor) {
  WriteConfig(R"(,{"type":"bandwidth","capabilities":{"bandwidth":true}})");
  Pod pod;
  pod.egress = 10'000'000;
  Sandbox(pod, true);
  const absl::Status added = Cni(Operation::ADD, pod);
  if (absl::StrContains(added.message(), "not supported")) GTEST_SKIP() << added;
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_TRUE(Command("tc qdisc show | grep -q 'tbf.*rate 10Mbit'"));
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
  EXPECT_FALSE(Command("tc qdisc show | grep -q tbf"));
  EXPECT_THAT(Leases(), IsEmpty());
}

TEST_F(PluginsTest, TuningSetsSysctlsAndTheHardwareAddress) {
  WriteConfig(R"(,{"type":"tuning","capabilities":{"mac":true},)"
              R"("sysctl":{"net.core.somaxconn":"500"}})");
  Pod pod;
  pod.mac = "02:11:22:33:44:55";
  Sandbox(pod, true);
  const absl::Status added = Cni(Operation::ADD, pod);
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_TRUE(InNamespace(Pin(pod), [] {
    return Command("ip link show eth0 | grep -q 02:11:22:33:44:55") &&
           Command("grep -qx 500 /proc/sys/net/core/somaxconn");
  }));
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
}

TEST_F(PluginsTest, GivesAnAddressOfEachFamilyFromTheNodesSubnets) {
  WriteList(R"({"type":"bridge","bridge":"cni0","isGateway":true,"capabilities":{"ipRanges":true},)"
            R"("ipam":{"type":"host-local","dataDir":")" +
            (dir_ / "leases").string() + R"("}})");
  Pod pod;
  pod.ranges = {"10.66.7.0/24", "fd66:7::/64"};
  Sandbox(pod, true);
  const absl::Status added = Cni(Operation::ADD, pod);
  if (absl::StrContains(added.message(), "IPv6")) GTEST_SKIP() << added;
  ASSERT_TRUE(added.ok()) << added;
  ASSERT_EQ(pod.ips.size(), 2u);
  EXPECT_THAT(pod.ips[0], StartsWith("10.66.7."));
  EXPECT_THAT(pod.ips[1], StartsWith("fd66:7::"));
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
  EXPECT_THAT(Leases(), IsEmpty());
}

TEST_F(PluginsTest, GivesTheAddressThatThePodWants) {
  WriteConfig("", R"(,"capabilities":{"ips":true})");
  Pod pod;
  pod.wanted_ip = "10.66.0.77";
  Sandbox(pod, true);
  const absl::Status added = Cni(Operation::ADD, pod);
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_THAT(pod.ips, ElementsAre("10.66.0.77"));
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
}

TEST_F(PluginsTest, CheckNoticesALinkThatIsGone) {
  WriteConfig("");
  Pod pod;
  Sandbox(pod, true);
  ASSERT_TRUE(Cni(Operation::ADD, pod).ok());
  const absl::Status good = Cni(Operation::CHECK, pod);
  EXPECT_TRUE(good.ok()) << good;
  ASSERT_TRUE(InNamespace(Pin(pod), [] { return Command("ip link del eth0"); }));
  EXPECT_THAT(std::string(Cni(Operation::CHECK, pod).message()), HasSubstr("bridge CHECK"));
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
}

}  // namespace
}  // namespace bulkhead::cni
