// A pod and a container from beginning to end, on the host's network.
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using Runtime = tools::CriClient::Runtime;

class Lifecycle : public NodeTest {};

TEST_F(Lifecycle, VersionAndStatus) {
  auto version = cri().Call(&Runtime::Version, cri::VersionRequest(), kPatience);
  ASSERT_THAT(version, IsOk());
  EXPECT_EQ(version->runtime_name(), "bulkhead");
  EXPECT_EQ(version->runtime_api_version(), "v1");
  auto status = cri().Call(&Runtime::Status, cri::StatusRequest(), kPatience);
  ASSERT_THAT(status, IsOk());
  bool ready = false;
  for (const auto& condition : status->status().conditions()) {
    if (condition.type() == "RuntimeReady") ready = condition.status();
    // There is no network configuration on this node.
    if (condition.type() == "NetworkReady") {
      EXPECT_FALSE(condition.status());
    }
  }
  EXPECT_TRUE(ready);
  EXPECT_THAT(cri().Call(&Runtime::RuntimeConfig, cri::RuntimeConfigRequest(), kPatience), IsOk());
}

TEST_F(Lifecycle, PodAndContainer) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto pod_status = PodStatus(*pod);
  ASSERT_THAT(pod_status, IsOk());
  EXPECT_EQ(pod_status->state(), cri::SANDBOX_READY);

  auto container = Create(ContainerRequest(
      *pod, "main", {"/bin/sh", "-c", "echo out; echo err >&2; printf part; exit 7"}));
  ASSERT_THAT(container, IsOk());
  EXPECT_EQ(Status(*container)->state(), cri::CONTAINER_CREATED);
  ASSERT_THAT(Start(*container), IsOk());
  auto exited = AwaitExit(*container);
  ASSERT_THAT(exited, IsOk());
  EXPECT_EQ(exited->exit_code(), 7);
  EXPECT_EQ(exited->reason(), "Error");
  EXPECT_GE(exited->finished_at(), exited->started_at());
  EXPECT_GE(exited->started_at(), exited->created_at());
  EXPECT_THAT(LogText(*exited, "stdout"), HasSubstr("out\npart"));
  EXPECT_EQ(LogText(*exited, "stderr"), "err\n");

  EXPECT_THAT(Remove(*container), IsOk());
  EXPECT_EQ(Status(*container).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(StopPod(*pod), IsOk());
  EXPECT_EQ(PodStatus(*pod)->state(), cri::SANDBOX_NOTREADY);
  EXPECT_THAT(RemovePod(*pod), IsOk());
  EXPECT_EQ(PodStatus(*pod).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Lifecycle, SuccessIsCompleted) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/bin/true"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  auto exited = AwaitExit(*container);
  ASSERT_THAT(exited, IsOk());
  EXPECT_EQ(exited->exit_code(), 0);
  EXPECT_EQ(exited->reason(), "Completed");
  RemoveAll();
}

TEST_F(Lifecycle, EnvironmentDirectoryAndArguments) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto request = ContainerRequest(*pod, "main", {"/bin/sh", "-c"});
  request.mutable_config()->add_args("echo \"$GREETING from $PWD as $(id -u):$(id -g)\"");
  request.mutable_config()->set_working_dir("/tmp");
  auto* env = request.mutable_config()->add_envs();
  env->set_key("GREETING");
  env->set_value("hi there");
  auto* security = request.mutable_config()->mutable_linux()->mutable_security_context();
  security->mutable_run_as_user()->set_value(1000);
  security->mutable_run_as_group()->set_value(1000);
  auto output = OutputOf(request);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "hi there from /tmp as 1000:1000\n");
  RemoveAll();
}

TEST_F(Lifecycle, NamedUserIsLookedUpInTheImage) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto request = ContainerRequest(*pod, "main", {"/bin/sh", "-c", "id -u; id -G"});
  request.mutable_config()->mutable_linux()->mutable_security_context()->set_run_as_username(
      "user");
  auto output = OutputOf(request);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "1000\n1000 2000\n");
  RemoveAll();
}

TEST_F(Lifecycle, VolumesReadWriteAndReadOnly) {
  std::string volume = node().directory() + "/volume";
  std::filesystem::create_directory(volume);
  std::ofstream(volume + "/from-host") << "hello\n";
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto request = ContainerRequest(
      *pod, "main",
      {"/bin/sh", "-c", "cat /ro/from-host; echo back > /rw/to-host; echo no > /ro/x || echo ro"});
  for (bool readonly : {false, true}) {
    auto* mount = request.mutable_config()->add_mounts();
    mount->set_host_path(volume);
    mount->set_container_path(readonly ? "/ro" : "/rw");
    mount->set_readonly(readonly);
  }
  auto output = OutputOf(request);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "hello\nro\n");
  std::string text;
  std::getline(std::ifstream(volume + "/to-host"), text);
  EXPECT_EQ(text, "back");
  RemoveAll();
}

TEST_F(Lifecycle, ExecSync) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/bin/sleep", "1000"}));
  ASSERT_THAT(container, IsOk());
  EXPECT_EQ(Exec(*container, {"/bin/true"}).status().code(), absl::StatusCode::kFailedPrecondition)
      << "not started";
  ASSERT_THAT(Start(*container), IsOk());
  auto done = Exec(*container, {"/bin/sh", "-c", "echo o; echo e >&2; exit 3"});
  ASSERT_THAT(done, IsOk());
  EXPECT_EQ(done->stdout(), "o\n");
  EXPECT_EQ(done->stderr(), "e\n");
  EXPECT_EQ(done->exit_code(), 3);
  EXPECT_EQ(Exec(*container, {"/bin/sleep", "100"}, 1).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Exec(*container, {"/bin/true"}), IsOk()) << "after one that was killed";
  RemoveAll();
}

// A signal that comes while the runtime's own program still runs would be lost.
TEST_F(Lifecycle, StartAnswersOnceTheProgramRuns) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  for (int i = 0; i < 10; ++i) {
    auto container = Create(ContainerRequest(*pod, absl::StrCat("c", i), {"/bin/sleep", "1000"}));
    ASSERT_THAT(container, IsOk());
    ASSERT_THAT(Start(*container), IsOk());
    bool runs = false;
    for (const ProcessInfo& process : Descendants(node().Daemon("spawner"))) {
      runs |= process.name == "sleep";
    }
    EXPECT_TRUE(runs);
    ASSERT_THAT(Remove(*container), IsOk());
  }
  RemoveAll();
}

TEST_F(Lifecycle, AStopRightAfterTheStartIsHeard) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  for (int i = 0; i < 10; ++i) {
    auto container = Create(
        ContainerRequest(*pod, absl::StrCat("c", i),
                         {"/bin/sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done"}));
    ASSERT_THAT(container, IsOk());
    ASSERT_THAT(Start(*container), IsOk());
    EXPECT_THAT(Stop(*container, 10), IsOk());
    EXPECT_EQ(Status(*container)->exit_code(), 5);
  }
  RemoveAll();
}

TEST_F(Lifecycle, StopGivesTheSignalThenKills) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto polite = Create(ContainerRequest(
      *pod, "polite", {"/bin/sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"}));
  ASSERT_THAT(polite, IsOk());
  ASSERT_THAT(Start(*polite), IsOk());
  auto deaf = Create(ContainerRequest(
      *pod, "deaf", {"/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"}));
  ASSERT_THAT(deaf, IsOk());
  ASSERT_THAT(Start(*deaf), IsOk());
  absl::SleepFor(absl::Milliseconds(300));  // until the traps are set
  EXPECT_THAT(Stop(*polite, 20), IsOk());
  EXPECT_EQ(Status(*polite)->exit_code(), 5);
  EXPECT_THAT(Stop(*deaf, 1), IsOk());
  EXPECT_EQ(Status(*deaf)->exit_code(), 137);
  EXPECT_THAT(Stop(*deaf, 1), IsOk()) << "a second time";
  RemoveAll();
}

TEST_F(Lifecycle, RetriesJoinTheFirst) {
  auto request = PodRequest("pod");
  auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  auto again = cri().Call(&Runtime::RunPodSandbox, request, kPatience);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->pod_sandbox_id(), *pod);
  auto create = ContainerRequest(*pod, "main", {"/bin/true"});
  auto container = Create(create);
  ASSERT_THAT(container, IsOk());
  auto container_again = Create(create);
  ASSERT_THAT(container_again, IsOk());
  EXPECT_EQ(*container_again, *container);
  RemoveAll();
}

TEST_F(Lifecycle, RemovingThePodRemovesRunningContainers) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  for (const char* name : {"a", "b"}) {
    auto container = Create(ContainerRequest(*pod, name, {"/bin/sleep", "1000"}));
    ASSERT_THAT(container, IsOk());
    ASSERT_THAT(Start(*container), IsOk());
  }
  EXPECT_THAT(RemovePod(*pod), IsOk());
  EXPECT_THAT(RemovePod(*pod), IsOk()) << "a second time";
}

}  // namespace
}  // namespace bulkhead::test
