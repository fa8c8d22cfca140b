// The admin command: run, up and status as their users see them.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Command : public NodeTest {};

TEST_F(Command, RunStreamsAndExitsWithTheCode) {
  Output output = node().Bulkhead(
      {"run", kImage, "--", "/bin/sh", "-c", "echo one; echo two >&2; echo three; exit 7"});
  EXPECT_EQ(output.code, 7);
  EXPECT_EQ(output.out, "one\nthree\n");
  EXPECT_EQ(output.err, "two\n");
}

TEST_F(Command, RunOfNoImage) {
  Output output = node().Bulkhead({"run", "127.0.0.1:1/none:1"});
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, StartsWith("bulkhead: "));
}

TEST_F(Command, InterruptedRunCleansUp) {
  for (int number : {SIGINT, SIGTERM}) {
    auto run = Process::Start({Program("bulkhead"), "run", "--config", node().config_file(), kImage,
                               "--", "/bin/sleep", "1000"},
                              -1, -1);
    ASSERT_THAT(run.status(), IsOk());
    // Early, in the middle of the calls, and late.
    absl::SleepFor(absl::Milliseconds(number == SIGINT ? 30 : 1500));
    run->Signal(number);
    auto code = run->Wait(kPatience);
    ASSERT_THAT(code, IsOk());
    EXPECT_EQ(*code, 128 + number);
  }
}

TEST_F(Command, OnlyOneUp) {
  Output second = node().Bulkhead({"up"});
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, HasSubstr("another bulkhead up"));
}

TEST_F(Command, Status) {
  Output status = node().Bulkhead({"status"});
  EXPECT_EQ(status.code, 0) << status.err;
  EXPECT_THAT(status.out, HasSubstr("pods: 0 (0 ready)"));
  EXPECT_THAT(status.out, HasSubstr("images: 1"));
}

TEST_F(Command, StopAllEndsPodsAndRemovesThemIfTold) {
  for (const char* name : {"one", "two"}) {
    auto pod = RunPod(PodRequest(name));
    ASSERT_THAT(pod, IsOk());
    auto container = Create(ContainerRequest(*pod, "main", {"/bin/sleep", "1000"}));
    ASSERT_THAT(container, IsOk());
    ASSERT_THAT(Start(*container), IsOk());
  }
  EXPECT_EQ(node().Bulkhead({"stop"}).code, 2) << "--all must be said";
  EXPECT_EQ(node().Bulkhead({"stop", "--all"}).code, 0);
  Output status = node().Bulkhead({"status"});
  EXPECT_THAT(status.out, HasSubstr("pods: 2 (0 ready)\ncontainers: 2 (0 running)"));
  EXPECT_EQ(node().Bulkhead({"stop", "--all", "--remove"}).code, 0);
  EXPECT_THAT(node().Bulkhead({"status"}).out, HasSubstr("pods: 0 (0 ready)\ncontainers: 0"));
}

TEST_F(Command, MetricsCountWhatWasDone) {
  ASSERT_EQ(node().Bulkhead({"run", kImage, "--", "/bin/true"}).code, 0);
  EXPECT_EQ(Start(std::string(64, 'e')).code(), absl::StatusCode::kNotFound);
  Output text = node().Bulkhead({"metrics"});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* line :
       {"bulkhead_operation_duration_seconds_count{operation=\"CreateContainer\",code=\"OK\"} 1\n",
        "bulkhead_operation_duration_seconds_count{operation=\"StartContainer\",code=\"NOT_FOUND\"}"
        " "
        "1\n",
        "bulkhead_operation_duration_seconds_bucket{operation=\"RunPodSandbox\",code=\"OK\",le="
        "\"+Inf\"} 1\n",
        "bulkhead_step_duration_seconds_count{step=\"launch: runtime create\"} 1\n",
        "bulkhead_images 1\n", "# TYPE bulkhead_pods gauge\nbulkhead_pods 0\n"}) {
    EXPECT_THAT(text.out, HasSubstr(line));
  }
}

// As systemd would start it for a connection: nobody before it reads.
TEST_F(Command, MetricsAnswerOneHttpRequest) {
  auto pair = base::MakeSocketPair(SOCK_STREAM);
  ASSERT_THAT(pair.status(), IsOk());
  auto server =
      Process::Start({"/bin/sh", "-c",
                      absl::StrCat("exec ", Program("bulkhead"), " metrics --http --config ",
                                   node().config_file(), " <&1")},
                     pair->second.get(), -1);
  ASSERT_THAT(server.status(), IsOk());
  pair->second.Reset();
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return absl::StrContains(
        base::ReadFile(absl::StrCat("/proc/", server->pid(), "/status"), 1 << 16).value_or(""),
        "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n");
  }));
  ASSERT_THAT(base::WriteAll(pair->first.get(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
              IsOk());
  auto answer = base::ReadAll(pair->first.get(), 1 << 20);
  ASSERT_THAT(answer.status(), IsOk());
  EXPECT_THAT(*answer, StartsWith("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(*answer, HasSubstr("\r\n\r\n# HELP bulkhead_pods"));
  EXPECT_EQ(server->Wait(kPatience).value_or(-1), 0);
}

TEST_F(Command, ImageList) {
  Output list = node().Bulkhead({"image", "list"});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr(kImage));
}

TEST_F(Command, TraceShowsWhereTheTimeWent) {
  ASSERT_EQ(node().Bulkhead({"run", kImage, "--", "/bin/true"}).code, 0);
  Output text = node().Bulkhead({"trace"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("CreateContainer"));
  EXPECT_THAT(text.out, HasSubstr("launch: runtime create"));
  Output chrome = node().Bulkhead({"trace", "--chrome"});
  EXPECT_THAT(chrome.out, HasSubstr("\"name\": \"StartContainer\""));
  EXPECT_EQ(node().Bulkhead({"trace", "0000"}).out, "");
}

TEST_F(Command, DirectoriesOpenToOthersAreRefused) {
  ASSERT_THAT(node().Down(), IsOk());
  std::string state = node().root_dir() + "/state";
  std::filesystem::permissions(state, std::filesystem::perms(0777));
  Output refused = node().Bulkhead({"up"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("has mode 0777"));
  std::filesystem::permissions(state, std::filesystem::perms(0700));
  absl::Status up = node().Up();
  ASSERT_TRUE(up.ok()) << up;
}

class StopContainers : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.up_arguments = {"--stop-containers"};
    return options;
  }
};

TEST_F(StopContainers, AtTheEnd) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/bin/sleep", "1000"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  auto code = node().Down();
  ASSERT_THAT(code, IsOk());
  EXPECT_EQ(*code, 0);
  for (const ProcessInfo& info : Descendants(getpid())) EXPECT_NE(info.name, "sleep");
  absl::Status up = node().Up();
  ASSERT_TRUE(up.ok()) << up;
  EXPECT_EQ(Status(*container)->state(), cri::CONTAINER_EXITED);
  RemoveAll();
}

// Without a node: what can be said before anything runs.
TEST(CommandAlone, ConfigCheck) {
  std::string file = absl::StrCat("/tmp/bhtest-config-", getpid(), ".toml");
  std::ofstream(file) << "run_dri = \"/run/x\"\n";
  Output bad = RunProgram({Program("bulkhead"), "config", "check", "--config", file});
  EXPECT_EQ(bad.code, 1);
  EXPECT_THAT(bad.err, HasSubstr(file + ":1: key 'run_dri': unknown key"));
  std::ofstream(file) << "run_dir = \"/run/x\"\n";
  Output good = RunProgram({Program("bulkhead"), "config", "check", "--config", file});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("configuration is valid"));
  std::filesystem::remove(file);
}

TEST(CommandAlone, UsageErrors) {
  EXPECT_EQ(RunProgram({Program("bulkhead")}).code, 2);
  EXPECT_EQ(RunProgram({Program("bulkhead"), "fly"}).code, 2);
  EXPECT_EQ(RunProgram({Program("bulkhead"), "run"}).code, 2);
  EXPECT_EQ(RunProgram({Program("bulkhead"), "up", "--fast"}).code, 2);
  for (const char* verb : {"up", "run", "image", "status", "privileges", "config"}) {
    Output help = RunProgram({Program("bulkhead"), verb, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("usage: bulkhead " + std::string(verb)));
  }
}

TEST(CommandAlone, PrivilegesNamesEveryKind) {
  Output output = RunProgram({Program("bulkhead"), "privileges"});
  EXPECT_EQ(output.code, 0);
  for (const char* kind : {"frontend", "broker", "spawner", "unpack", "launch", "monitor"}) {
    EXPECT_THAT(output.out, HasSubstr(kind));
  }
}

}  // namespace
}  // namespace bulkhead::test
