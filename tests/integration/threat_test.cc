// Attacks of docs/threat-model.md that have no other home.
#include <csignal>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

std::string ReadProc(pid_t pid, const std::string& file) {
  return base::ReadFile(absl::StrCat("/proc/", pid, "/", file), 1 << 16).value_or("");
}

// The device number of a process's controlling terminal, "0" for none. (proc(5), stat, field 7)
std::string Terminal(pid_t pid) {
  const std::string stat = ReadProc(pid, "stat");
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(std::min(stat.rfind(')'), stat.size())), ' ');
  return fields.size() > 5 ? fields[5] : "";
}

class Threat : public NodeTest {
 protected:
  std::vector<ProcessInfo> OursNow() {
    std::vector<ProcessInfo> ours;
    for (const ProcessInfo& process : Descendants(getpid())) {
      if (absl::StartsWith(process.name, "bh-") || absl::StartsWith(process.name, "bulkhead")) {
        ours.push_back(process);
      }
    }
    return ours;
  }

  std::string StartContainer(cri::CreateContainerRequest request) {
    auto container = Create(request);
    EXPECT_THAT(container, IsOk());
    if (!container.ok()) return "";
    EXPECT_THAT(Start(*container), IsOk());
    return *container;
  }
};

using V37 = Threat;
using V46 = Threat;
using V54 = Threat;

TEST_F(V37, NoTerminalIsSharedWithAContainer) {
  auto pod = RunPod(PodRequest("terminal"));
  ASSERT_THAT(pod, IsOk());
  auto request = ContainerRequest(*pod, "main", {"/bin/sleep", "1000"});
  request.mutable_config()->set_tty(true);
  const std::string container = StartContainer(request);
  std::string inside;
  for (const ProcessInfo& process : Descendants(getpid())) {
    if (process.name == "sleep") inside = Terminal(process.pid);
  }
  EXPECT_NE(inside, "");
  EXPECT_NE(inside, "0") << "the container has a terminal";
  const std::vector<ProcessInfo> ours = OursNow();
  EXPECT_GE(ours.size(), 5u);
  for (const ProcessInfo& process : ours) {
    if (process.name == "bulkhead") continue;  // whoever started it had it on a terminal, or not
    EXPECT_EQ(Terminal(process.pid), "0") << process.name;
  }
  RemoveAll();
}

TEST_F(V46, TheMonitorDoesNotDieOfItsContainersMemory) {
  auto pod = RunPod(PodRequest("hog"));
  ASSERT_THAT(pod, IsOk());
  auto request = ContainerRequest(*pod, "main", {"/bin/sh", "-c", "tail /dev/zero"});
  request.mutable_config()->mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(32
                                                                                            << 20);
  const std::string container = StartContainer(request);
  auto status = AwaitExit(container);
  ASSERT_THAT(status, IsOk());
  EXPECT_NE(status->exit_code(), 0);
  EXPECT_NE(status->reason(), "MonitorLost");
  RemoveAll();
}

TEST_F(V46, AMonitorThatIsKilledTakesItsContainerAlong) {
  auto pod = RunPod(PodRequest("unwatched"));
  ASSERT_THAT(pod, IsOk());
  const std::string container =
      StartContainer(ContainerRequest(*pod, "main", {"/bin/sh", "-c", "sleep 1000 & sleep 1000"}));
  std::vector<pid_t> inside;
  EXPECT_TRUE(Eventually(absl::Seconds(5), [&] {
    inside.clear();
    for (const ProcessInfo& process : Descendants(getpid())) {
      if (process.name == "sleep") inside.push_back(process.pid);
    }
    return inside.size() == 2;
  }));
  for (const ProcessInfo& process : OursNow()) {
    if (process.name == "bh-monitor") kill(process.pid, SIGKILL);
  }
  auto status = AwaitExit(container);
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(status->reason(), "MonitorLost");
  EXPECT_EQ(status->exit_code(), 255);
  for (const pid_t pid : inside) {
    EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return ReadProc(pid, "stat").empty(); }));
  }
  RemoveAll();
}

TEST_F(V54, NothingIsMadeInAPodThatHasEnded) {
  auto pod = RunPod(PodRequest("ended"));
  ASSERT_THAT(pod, IsOk());
  auto created = Create(ContainerRequest(*pod, "before", {"/bin/sleep", "1000"}));
  ASSERT_THAT(created, IsOk());
  ASSERT_THAT(StopPod(*pod), IsOk());
  EXPECT_EQ(Start(*created).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Exec(*created, {"/bin/true"}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Create(ContainerRequest(*pod, "after", {"/bin/true"})).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_THAT(RemovePod(*pod), IsOk());
  EXPECT_EQ(Start(*created).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Create(ContainerRequest(*pod, "later", {"/bin/true"})).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bulkhead::test
