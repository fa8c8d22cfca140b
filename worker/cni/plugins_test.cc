// What the plugins may do to us, and what is left.
#include "worker/cni/plugins_fixture_test.h"

namespace bulkhead::cni {
namespace {

TEST_F(PluginsTest, ConnectsTwoPods) {
  WriteConfig("", R"(,"ipMasq":true)");
  Pod a, b;
  for (Pod* pod : {&a, &b}) {
    Sandbox(*pod, true);
    const absl::Status added = Cni(Operation::ADD, *pod);
    ASSERT_TRUE(added.ok()) << added;
    ASSERT_EQ(pod->ips.size(), 1u);
    EXPECT_THAT(pod->ips[0], StartsWith("10.66.0."));
  }
  EXPECT_NE(a.ips[0], b.ips[0]);
  EXPECT_THAT(Leases(), ElementsAre(a.ips[0], b.ips[0]));
  EXPECT_TRUE(InNamespace(Pin(a), [&] { return Ping(b.ips[0]); }));
  EXPECT_TRUE(InNamespace(Pin(b), [&] { return Ping(a.ips[0]); }));
  const pid_t listener = Listen(a);
  EXPECT_TRUE(InNamespace(Pin(b), [&] { return Fetch(a.ips[0], kPodPort) == "hello"; }));
  EXPECT_EQ(Fetch(a.ips[0], kPodPort), "hello") << "from the node";
  End(listener);

  const absl::Status deleted = Cni(Operation::DEL, a);
  EXPECT_TRUE(deleted.ok()) << deleted;
  EXPECT_THAT(Leases(), ElementsAre(b.ips[0]));
  EXPECT_FALSE(InNamespace(Pin(b), [&] { return Fetch(a.ips[0], kPodPort) == "hello"; }));
  EXPECT_TRUE(Cni(Operation::DEL, a).ok()) << "again";
  EXPECT_TRUE(Cni(Operation::DEL, b).ok());
  EXPECT_THAT(Leases(), IsEmpty());
  EXPECT_EQ(Veths(), 0);
}

TEST_F(PluginsTest, DeletesWhenConfigurationAndNamespaceAreGone) {
  WriteConfig("");
  Pod a, b;
  for (Pod* pod : {&a, &b}) {
    Sandbox(*pod, true);
    ASSERT_TRUE(Cni(Operation::ADD, *pod).ok());
  }
  fs::remove(dir_ / "conf" / "10-test.conflist");
  Sandbox(a, false);
  EXPECT_TRUE(Cni(Operation::DEL, a).ok());
  EXPECT_THAT(Leases(), ElementsAre(b.ips[0]));
  EXPECT_TRUE(Cni(Operation::DEL, b, /*netns_gone=*/true).ok());
  EXPECT_THAT(Leases(), IsEmpty());
}

TEST_F(PluginsTest, MapsAPort) {
  WriteConfig(R"(,{"type":"portmap","capabilities":{"portMappings":true},"snat":true})");
  Pod pod;
  pod.host_port = true;
  Sandbox(pod, true);
  const absl::Status added = Cni(Operation::ADD, pod);
  if (!added.ok() && absl::StrContains(added.message(), "iptables")) GTEST_SKIP() << added;
  ASSERT_TRUE(added.ok()) << added;
  const pid_t listener = Listen(pod);
  EXPECT_EQ(Fetch("10.66.0.1", kHostPort), "hello");
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
  EXPECT_NE(Fetch("10.66.0.1", kHostPort), "hello");
  End(listener);
}

TEST_F(PluginsTest, SpeaksOlderVersions) {
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0"}) {
    WriteConfig(R"(,{"type":"portmap","capabilities":{"portMappings":true}})", "", version);
    Pod pod;
    Sandbox(pod, true);
    const absl::Status added = Cni(Operation::ADD, pod);
    EXPECT_TRUE(added.ok()) << version << added;
    EXPECT_EQ(pod.ips.size(), 1u);
    EXPECT_TRUE(Cni(Operation::DEL, pod).ok()) << version;
    EXPECT_THAT(Leases(), IsEmpty()) << version;
  }
}

TEST_F(PluginsTest, TellsWhatAPluginDoesNotKnow) {
  // Debian 12's plugins are older than this version.
  WriteConfig("", "", "1.1.0");
  Pod pod;
  Sandbox(pod, true);
  const absl::Status status = Cni(Operation::ADD, pod);
  if (status.ok()) GTEST_SKIP() << "newer plugins are installed";
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("network test: bridge VERSION: "), HasSubstr("1.1.0")));
}

TEST_F(PluginsTest, UndoesWhatABadPluginBreaksOff) {
  // Each does nothing on DEL.
  const std::string add_only = "[ $CNI_COMMAND = ADD ] || exit 0\n";
  AddPlugin("silent", add_only + "exit 0");
  AddPlugin("garbage", add_only + "echo '<html>\x1b[31m'; exit 0");
  AddPlugin("garbage-failure", add_only + "echo panic; exit 2");
  AddPlugin("failure",
            add_only + R"(echo '{"cniVersion":"1.0.0","code":11,"msg":"busy"}'; exit 1)");
  AddPlugin("flood", add_only + "exec head -c 1073741824 /dev/zero");
  AddPlugin("liar",
            add_only + R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"127.0.0.1/8"}]}')");
  for (const char* name : {"silent", "garbage", "garbage-failure", "liar"}) {
    WriteConfig(absl::StrCat(R"(,{"type":")", name, "\"}"));
    EXPECT_TRUE(absl::IsInternal(ExpectFailedAdd(absl::StrCat(name, " ADD: "))));
  }
  WriteConfig(R"(,{"type":"failure"})");
  EXPECT_TRUE(absl::IsUnavailable(ExpectFailedAdd("failure ADD: busy (code 11)")));
  WriteConfig(R"(,{"type":"flood"})");
  EXPECT_TRUE(absl::IsResourceExhausted(ExpectFailedAdd("flood ADD: ")));
}

TEST_F(PluginsTest, UndoesWhatAHangingPluginBreaksOff) {
  AddPlugin("hang", "[ $CNI_COMMAND = ADD ] || exit 0\nsetsid sleep 1000 & sleep 1000");
  WriteConfig(R"(,{"type":"hang"})");
  timeout_ms_ = 3000;
  const absl::Time before = absl::Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(ExpectFailedAdd("hang ADD: ")));
  EXPECT_LT(absl::Now() - before, absl::Seconds(30));
}

TEST_F(PluginsTest, OwesADeleteThatFails) {
  AddPlugin("stubborn", "echo '{\"code\":100,\"msg\":\"never\"}'; exit 1");
  WriteConfig(R"(,{"type":"stubborn"})");
  Pod pod;
  Sandbox(pod, true);
  EXPECT_FALSE(Cni(Operation::ADD, pod).ok());
  EXPECT_THAT(Leases(), IsEmpty()) << "the bridge's own DEL went well";
  EXPECT_NE(pod.attempted, 0);
  EXPECT_FALSE(Cni(Operation::DEL, pod).ok());
  AddPlugin("stubborn", "exit 0");
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
}

TEST_F(PluginsTest, NamesAMissingPlugin) {
  WriteConfig(R"(,{"type":"no-such-plugin"})");
  Pod pod;
  Sandbox(pod, true);
  const absl::Status status = Cni(Operation::ADD, pod);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no-such-plugin"));
  EXPECT_EQ(pod.attempted, 0);
  EXPECT_THAT(Leases(), IsEmpty());
  EXPECT_EQ(Veths(), 0);
}

TEST_F(PluginsTest, NeedsAConfiguration) {
  Pod pod;
  Sandbox(pod, true);
  EXPECT_TRUE(absl::IsFailedPrecondition(Cni(Operation::ADD, pod)));
}

TEST_F(PluginsTest, LoopbackGivesNoAddressOfAPod) {
  std::ofstream(dir_ / "conf" / "10-lo.conf")
      << R"({"cniVersion":"1.0.0","name":"lo","type":"loopback"})";
  Pod pod;
  Sandbox(pod, true);
  const absl::Status status = Cni(Operation::ADD, pod);
  EXPECT_TRUE(absl::IsInternal(status)) << status;
}

}  // namespace
}  // namespace bulkhead::cni
