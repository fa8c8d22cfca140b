// Networks that fail: what plugins may do, and processes that end at the wrong moment. What is owed
// is paid.
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"
#include "tools/client/admin.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NetworkFault : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.cni = true;
    options.cni_settings = "plugin_timeout = 3\nretry_max = 1";
    return options;
  }
  void SetUp() override {
    NodeTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    SetMode("", "");
    node().AddPlugin("fault", absl::StrCat(R"(dir=)", node().directory(), R"(
[ $CNI_COMMAND = VERSION ] && exec echo '{"supportedVersions":["1.0.0"]}'
echo $CNI_COMMAND >> $dir/asked
. $dir/mode-$CNI_COMMAND
[ $CNI_COMMAND = ADD ] && exec sed 's/.*"prevResult":\(.*\),"type":"fault".*/\1/'
exit 0
)"));
    node().WriteNetwork(R"(,{"type": "fault"})");
    // Until it is in use.
    ASSERT_TRUE(Eventually(absl::Seconds(20), [&] {
      auto pod = RunPod(NetworkedPod("probe"));
      RemoveAll();
      return pod.ok() && Asked("ADD") > 0;
    }));
    ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return Networks().owed == 0; }));
    unlink((node().directory() + "/asked").c_str());
    TakeBaseline();
  }
  // What the plugin does first, as shell commands.
  void SetMode(const std::string& add, const std::string& del) {
    for (const auto& [command, text] : {std::pair("ADD", add), std::pair("DEL", del)}) {
      const std::string draft = node().directory() + "/draft";
      std::ofstream(draft) << text << "\n";
      std::filesystem::rename(draft, absl::StrCat(node().directory(), "/mode-", command));
    }
  }
  int Asked(const std::string& command) {
    std::ifstream asked(node().directory() + "/asked");
    int count = 0;
    for (std::string line; std::getline(asked, line);) count += line == command;
    return count;
  }
  tools::AdminNetworks Networks() {
    return tools::AdminNetworkStatus(node().admin_socket()).value_or(tools::AdminNetworks());
  }
  bool Paid() {
    return Eventually(absl::Seconds(40),
                      [&] { return Networks().owed == 0 && node().Leases().empty(); });
  }
  // The daemon of this name again, after its end.
  bool Back(const std::string& name, pid_t old) {
    return Eventually(absl::Seconds(30), [&] {
      return node().Daemon(name) > 0 && node().Daemon(name) != old && Networks().ready;
    });
  }
};

TEST_F(NetworkFault, BadPluginsFailThePodAndLeaveNothing) {
  const struct {
    const char* mode;
    absl::StatusCode code;
  } cases[] = {
      {"exit 0", absl::StatusCode::kInternal},
      {"echo '<html>'; exit 0", absl::StatusCode::kInternal},
      {"echo panic; exit 2", absl::StatusCode::kInternal},
      {"exec yes", absl::StatusCode::kResourceExhausted},
      {"setsid sleep 1000 & sleep 1000", absl::StatusCode::kDeadlineExceeded},
      {"kill -9 $$", absl::StatusCode::kAborted},
  };
  for (const auto& test : cases) {
    SetMode(test.mode, "");
    auto pod = RunPod(NetworkedPod("pod"));
    EXPECT_EQ(pod.status().code(), test.code) << test.mode << pod.status();
    EXPECT_TRUE(Paid()) << test.mode;
  }
}

TEST_F(NetworkFault, ADelThatFailsTenTimesIsPaidInTheEnd) {
  auto pod = RunPod(NetworkedPod("pod"));
  ASSERT_THAT(pod, IsOk());
  SetMode("", absl::StrCat(
                  "[ $(grep -c DEL ", node().directory(),
                  "/asked) -gt 10 ] || { echo '{\"code\":100,\"msg\":\"no luck\"}'; exit 1; }"));
  const absl::Time begin = absl::Now();
  EXPECT_THAT(StopPod(*pod), IsOk());
  EXPECT_THAT(RemovePod(*pod), IsOk());
  EXPECT_LT(absl::Now() - begin, absl::Seconds(9)) << "nobody waits for a broken network";
  EXPECT_FALSE(PodStatus(*pod).ok());
  Output status = node().Bulkhead({"status"});
  EXPECT_THAT(status.out, HasSubstr("networks still to be undone: 1"));
  EXPECT_THAT(status.out, HasSubstr("no luck"));
  EXPECT_TRUE(Paid());
  EXPECT_EQ(Asked("DEL"), 11);
}

TEST_F(NetworkFault, ADelThatHangsHoldsNobodyUp) {
  auto pod = RunPod(NetworkedPod("pod"));
  ASSERT_THAT(pod, IsOk());
  SetMode("", "sleep 1000");
  const absl::Time begin = absl::Now();
  EXPECT_THAT(StopPod(*pod), IsOk());
  EXPECT_THAT(RemovePod(*pod), IsOk());
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] {
    return Networks().debts.size() == 1 && Networks().debts[0].failures > 0;
  }));
  // With another pod all goes well meanwhile.
  SetMode("", absl::StrCat("[ $CNI_CONTAINERID != ", *pod, " ] || sleep 1000"));
  auto other = RunPod(NetworkedPod("other"));
  ASSERT_THAT(other, IsOk());
  EXPECT_THAT(StopPod(*other), IsOk());
  EXPECT_THAT(RemovePod(*other), IsOk());
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return Networks().owed == 1; }));
  SetMode("", "");
  EXPECT_TRUE(Paid());
}

TEST_F(NetworkFault, DebtsOutliveTheConfigurationAndTheBroker) {
  auto pod = RunPod(NetworkedPod("pod"));
  ASSERT_THAT(pod, IsOk());
  SetMode("", "exit 1");
  EXPECT_THAT(StopPod(*pod), IsOk());
  EXPECT_THAT(RemovePod(*pod), IsOk());
  unlink(node().network_file().c_str());
  const pid_t broker = node().Daemon("broker");
  kill(broker, SIGKILL);
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
    return node().Daemon("broker") != broker && Networks().owed == 1;
  }));
  SetMode("", "");
  EXPECT_TRUE(Paid());
}

TEST_F(NetworkFault, ARebootPaysForEveryPod) {
  // Over the kernel's own, in this test's mount namespace.
  const std::string id = node().directory() + "/boot_id";
  std::ofstream(id) << "11111111-2222-3333-4444-555555555555\n";
  auto pod = RunPod(NetworkedPod("pod"));
  ASSERT_THAT(pod, IsOk());
  ASSERT_THAT(node().Leases(), SizeIs(1));
  ASSERT_THAT(node().Down(), IsOk());
  ASSERT_EQ(mount(id.c_str(), "/proc/sys/kernel/random/boot_id", nullptr, MS_BIND, nullptr), 0);
  ASSERT_THAT(node().Up(), IsOk());
  EXPECT_TRUE(Paid());
  EXPECT_EQ(PodStatus(*pod)->state(), cri::SANDBOX_NOTREADY);
  RemoveAll();
  umount2("/proc/sys/kernel/random/boot_id", MNT_DETACH);
  ASSERT_THAT(node().Down(), IsOk());
  ASSERT_THAT(node().Up(), IsOk());
}

// Runs the pod in a thread, and what in the middle of ADD, once the plugin runs.
class InTheMiddleOfAdd : public NetworkFault {
 protected:
  absl::Status RunAnd(const cri::RunPodSandboxRequest& request, const std::function<void()>& what) {
    SetMode("sleep 2", "");
    absl::Status status;
    std::thread caller([&] {
      tools::CriClient client(node().run_dir() + "/cri.sock");
      status = client.Call(&tools::CriClient::Runtime::RunPodSandbox, request, kPatience).status();
    });
    EXPECT_TRUE(Eventually(absl::Seconds(20), [&] { return Asked("ADD") > 0; }));
    EXPECT_THAT(node().Leases(), SizeIs(1));
    what();
    caller.join();
    SetMode("", "");
    return status;
  }
};

TEST_F(InTheMiddleOfAdd, TheNetworkWorkerIsKilled) {
  absl::Status status = RunAnd(NetworkedPod("pod"), [&] {
    for (const ProcessInfo& process : Descendants(node().up().pid())) {
      if (process.name == "bh-network") kill(process.pid, SIGKILL);
    }
  });
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(Paid());
}

TEST_F(InTheMiddleOfAdd, TheBrokerIsKilled) {
  auto request = NetworkedPod("pod");
  const pid_t old = node().Daemon("broker");
  absl::Status status = RunAnd(request, [&] { kill(old, SIGKILL); });
  EXPECT_FALSE(status.ok());
  ASSERT_TRUE(Back("broker", old));
  EXPECT_TRUE(Paid());
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return RunPod(request).ok(); })) << "the retry";
  EXPECT_THAT(node().Leases(), SizeIs(1));
  RemoveAll();
}

TEST_F(InTheMiddleOfAdd, TheFrontendIsKilled) {
  auto request = NetworkedPod("pod");
  const pid_t old = node().Daemon("frontend");
  absl::Status status = RunAnd(request, [&] { kill(old, SIGKILL); });
  EXPECT_FALSE(status.ok());
  ASSERT_TRUE(Back("frontend", old));
  absl::StatusOr<std::string> pod;
  ASSERT_TRUE(Eventually(absl::Seconds(20), [&] { return (pod = RunPod(request)).ok(); }));
  EXPECT_EQ(Asked("ADD"), 1) << "the retry joined the first";
  EXPECT_THAT(node().Leases(), SizeIs(1));
  RemoveAll();
}

TEST_F(InTheMiddleOfAdd, TheSpawnerIsKilled) {
  const pid_t old = node().Daemon("spawner");
  absl::Status status = RunAnd(NetworkedPod("pod"), [&] { kill(old, SIGKILL); });
  EXPECT_FALSE(status.ok());
  ASSERT_TRUE(Back("spawner", old));
  EXPECT_TRUE(Paid());
}

}  // namespace
}  // namespace bulkhead::test
