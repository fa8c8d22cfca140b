// Containers that liblxc makes: the same promises as for every other, kept by other means.
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "security/profile.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Runtime = tools::CriClient::Runtime;

std::string ReadText(const std::string& path) {
  return base::ReadFile(path, 1 << 20).value_or("(unreadable)");
}

class Lxc : public NodeTest {
 protected:
  NodeOptions Options() override {
    return {.cni = true,
            .extra_config =
                "runtimes.lxc.type = \"lxc\"\n"
                "runtimes.plain = {type = \"lxc\", user_namespace = \"optional\"}\n"
                "user_namespaces = {first_id = 1000000, count = 655360}\n"
                "image_rules = [{pattern = \"localhost/db-*\", runtime = \"plain\"}]\n"};
  }
  void SetUp() override {
    NodeTest::SetUp();
    const Output version = RunProgram({Program("bulkhead-worker-lxc"), "--version"});
    if (!absl::StartsWith(version.out, "liblxc ")) {
      GTEST_SKIP() << "liblxc is not installed";
    }
  }

  // In a pod of a handler of type lxc, where there is none yet.
  cri::CreateContainerRequest Request(const std::string& name, std::vector<std::string> command) {
    if (pod_.empty()) {
      // No user namespace goes with the node's network.
      auto request = handler_ == "lxc" ? NetworkedPod("pod") : PodRequest("pod");
      request.set_runtime_handler(handler_);
      auto pod = RunPod(request);
      EXPECT_THAT(pod, IsOk());
      pod_ = pod.value_or("");
    }
    return ContainerRequest(pod_, name, std::move(command));
  }
  cri::CreateContainerRequest Script(const std::string& name, const std::string& script) {
    return Request(name, {"/bin/sh", "-c", script});
  }
  static cri::LinuxContainerSecurityContext* Context(cri::CreateContainerRequest& request) {
    return request.mutable_config()->mutable_linux()->mutable_security_context();
  }
  std::string Running(const cri::CreateContainerRequest& request) {
    auto id = Create(request);
    EXPECT_THAT(id, IsOk());
    if (!id.ok()) return "";
    EXPECT_THAT(Start(*id), IsOk());
    return *id;
  }
  std::string Bundle(const std::string& container) {
    return absl::StrCat(node().root_dir(), "/", handler_, "/", pod_, "/", container);
  }
  // The library's process, which is the container's parent.
  pid_t Keeper(const std::string& container) {
    const std::vector<std::string> lines =
        absl::StrSplit(ReadText(Bundle(container) + "/lxc.state"), '\n');
    pid_t pid = 0;
    if (lines.size() < 2 || !absl::SimpleAtoi(lines[1], &pid)) return 0;
    return pid;
  }

  std::string handler_ = "plain";
  std::string pod_;
};

TEST_F(Lxc, OutputArgumentsEnvironmentDirectoryAndExitCode) {
  auto request =
      Request("main", {"/bin/sh", "-c",
                       "printf '%s|' \"$@\"; printf '%s' \"$LINES\"; pwd; echo bad >&2; exit 7",
                       "sh", "two words", "", "'\"$(x)", "new\nline"});
  auto* env = request.mutable_config()->add_envs();
  env->set_key("LINES");
  env->set_value("a b\n\"c\"='d' \\n$HOME\nlxc.cap.keep = sys_admin\n");
  request.mutable_config()->set_working_dir("/made/here");
  auto id = Create(request);
  ASSERT_THAT(id, IsOk());
  EXPECT_EQ(Status(*id)->state(), cri::CONTAINER_CREATED);
  ASSERT_THAT(Start(*id), IsOk());
  auto status = AwaitExit(*id);
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(status->exit_code(), 7);
  EXPECT_EQ(LogText(*status),
            "two words||'\"$(x)|new\nline|a b\n\"c\"='d' \\n$HOME\nlxc.cap.keep = sys_admin\n"
            "/made/here\n");
  EXPECT_EQ(LogText(*status, "stderr"), "bad\n");
  RemoveAll();
}

TEST_F(Lxc, ASignalIsTheExitCode) {
  const std::string id = Running(Script("main", "sleep 0.2; kill -9 $$; exec sleep 1000"));
  // Process 1 of a PID namespace cannot kill itself, so it is killed from outside.
  EXPECT_THAT(Stop(id, 0), IsOk());
  EXPECT_EQ(Status(id)->exit_code(), 137);
  const std::string asked =
      Running(Script("asked", "trap 'exit 9' TERM; while :; do sleep 0.05; done"));
  EXPECT_THAT(Stop(asked, 20), IsOk());
  EXPECT_EQ(Status(asked)->exit_code(), 9);
  RemoveAll();
}

TEST_F(Lxc, SighupEndsAContainerAndBootsNone) {
  const std::string id = Running(Script("main", "echo once; trap - HUP; exec sleep 1000"));
  auto status = Status(id);
  ASSERT_THAT(status, IsOk());
  auto request = Script("hup", "trap 'exit 3' HUP; while :; do sleep 0.05; done");
  request.mutable_config()->set_stop_signal(cri::SIGNAL_SIGHUP);
  const std::string hup = Running(request);
  EXPECT_THAT(Stop(hup, 20), IsOk());
  EXPECT_EQ(Status(hup)->exit_code(), 3);
  EXPECT_THAT(Stop(id, 0), IsOk());
  EXPECT_EQ(LogText(*Status(id)), "once\n");
  RemoveAll();
}

TEST_F(Lxc, Exec) {
  auto request = Script("main", "exec sleep 1000");
  Context(request)->mutable_run_as_user()->set_value(1000);
  Context(request)->mutable_seccomp()->set_profile_type(cri::SecurityProfile::RuntimeDefault);
  const std::string id = Running(request);
  auto said = Exec(id, {"/bin/sh", "-c", "echo out; echo err >&2; id -u; exit 5"});
  ASSERT_THAT(said, IsOk());
  EXPECT_EQ(said->stdout(), "out\n1000\n");
  EXPECT_EQ(said->stderr(), "err\n");
  EXPECT_EQ(said->exit_code(), 5);
  auto killed = Exec(id, {"/bin/sh", "-c", "kill -TERM $$"});
  ASSERT_THAT(killed, IsOk());
  EXPECT_EQ(killed->exit_code(), 143);
  // As confined as the container itself.
  auto status = Exec(id, {"/bin/cat", "/proc/self/status"});
  ASSERT_THAT(status, IsOk());
  EXPECT_THAT(status->stdout(), HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(status->stdout(), HasSubstr("CapEff:\t0000000000000000"));
  auto bounding = Exec(id, {"/bin/grep", "CapBnd", "/proc/1/status"});
  EXPECT_THAT(status->stdout(), HasSubstr(bounding->stdout()));
  auto cgroups = Exec(id, {"/bin/sh", "-c", "cat /proc/self/cgroup"});
  EXPECT_EQ(cgroups->stdout(), Exec(id, {"/bin/cat", "/proc/1/cgroup"})->stdout());
  EXPECT_EQ(Exec(id, {"/bin/sh", "-c", "ls /proc/self/fd | wc -l"})->stdout(), "4\n");
  EXPECT_EQ(Exec(id, {"/bin/no-such"}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Exec(id, {"/bin/sleep", "60"}, 1).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Exec(id, {"/bin/sh", "-c", "ps | grep -c '[s]leep 60'"})->stdout(), "0\n");
  RemoveAll();
}

TEST_F(Lxc, WhatCannotBeExecutedIsAClearError) {
  auto missing = Create(Request("missing", {"/no/such/program"}));
  ASSERT_THAT(missing, IsOk());
  const absl::Status status = Start(*missing);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/program"));
  auto ended = AwaitExit(*missing);
  ASSERT_THAT(ended, IsOk());
  EXPECT_NE(ended->exit_code(), 0);
  EXPECT_THAT(Remove(*missing), IsOk());
  auto directory = Create(Request("directory", {"/etc"}));
  ASSERT_THAT(directory, IsOk());
  EXPECT_EQ(Start(*directory).code(), absl::StatusCode::kFailedPrecondition);
  RemoveAll();
}

TEST_F(Lxc, IsConfinedAndSoIsItsParent) {
  auto request = Script("main", "exec sleep 1000");
  Context(request)->set_readonly_rootfs(true);
  Context(request)->set_no_new_privs(true);
  Context(request)->mutable_capabilities()->add_drop_capabilities("ALL");
  Context(request)->mutable_capabilities()->add_add_capabilities("NET_BIND_SERVICE");
  Context(request)->mutable_seccomp()->set_profile_type(cri::SecurityProfile::RuntimeDefault);
  Context(request)->add_masked_paths("/proc/keys");
  Context(request)->add_readonly_paths("/proc/sys");
  const std::string id = Running(request);
  const std::string status = Exec(id, {"/bin/cat", "/proc/1/status"})->stdout();
  EXPECT_THAT(status, HasSubstr("CapBnd:\t0000000000000400"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000400"));
  EXPECT_THAT(status, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  for (const char* refused :
       {"touch /file", "unshare -U true", "mount -t tmpfs x /tmp",
        "echo 1 > /proc/sys/kernel/pid_max", "mknod /tmp/x b 1 1", "test -s /proc/keys"}) {
    EXPECT_NE(Exec(id, {"/bin/sh", "-c", refused})->exit_code(), 0) << refused;
  }
  const std::string keeper = ReadText(absl::StrCat("/proc/", Keeper(id), "/status"));
  EXPECT_THAT(keeper, HasSubstr("CapPrm:\t0000000000000020"));
  EXPECT_THAT(keeper, HasSubstr("CapEff:\t0000000000000020"));
  EXPECT_THAT(keeper, HasSubstr("CapBnd:\t0000000000000000"));
  EXPECT_THAT(keeper, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(keeper, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(keeper, HasSubstr(absl::StrCat("Uid:\t", security::kMonitorUid, "\t")));
  EXPECT_THAT(ReadText(absl::StrCat("/proc/", Keeper(id), "/cgroup")),
              HasSubstr("bulkhead/worker"));
  RemoveAll();
}

// liblxc takes commands on an abstract socket, which everybody in its network namespace can see.
TEST_F(Lxc, V40TheLibrarysSocketIsOnNobodysNetwork) {
  auto request = PodRequest("pod");
  request.set_runtime_handler(handler_);
  request.mutable_config()
      ->mutable_linux()
      ->mutable_security_context()
      ->mutable_namespace_options()
      ->set_network(cri::NODE);
  auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  pod_ = *pod;
  const std::string id = Running(Script("main", "exec sleep 1000"));
  EXPECT_THAT(ReadText("/proc/net/unix"), Not(HasSubstr("/command")));
  EXPECT_THAT(Exec(id, {"/bin/cat", "/proc/net/unix"})->stdout(), Not(HasSubstr("/command")));
  // It is there, in a network of its own.
  EXPECT_THAT(ReadText(absl::StrCat("/proc/", Keeper(id), "/net/unix")), HasSubstr("/command"));
  RemoveAll();
}

TEST_F(Lxc, TheParentsDeathEndsTheContainer) {
  const std::string id = Running(Script("main", "exec sleep 1000"));
  ASSERT_GT(Keeper(id), 1);
  ASSERT_EQ(kill(Keeper(id), SIGKILL), 0);
  auto status = AwaitExit(id);
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(status->exit_code(), 137);
  RemoveAll();
}

TEST_F(Lxc, OutOfMemory) {
  auto request = Script("main", "x=x; while :; do x=$x$x; done");
  request.mutable_config()->mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(16
                                                                                            << 20);
  const std::string id = Running(request);
  auto status = AwaitExit(id);
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(status->exit_code(), 137);
  EXPECT_EQ(status->reason(), "OOMKilled");
  RemoveAll();
}

TEST_F(Lxc, VolumesAndMountPointsThatLeadElsewhere) {
  const std::string data = node().directory() + "/data";
  ASSERT_EQ(mkdir(data.c_str(), 0755), 0);
  ASSERT_TRUE(base::WriteKernelFile(AT_FDCWD, "/dev/null", "x").ok());
  ImportImage("localhost/links:1",
              {"--link", "out=/../../../../outside", "--link", "in=/var/real"});
  auto request = Script(
      "main", "echo hi > /with\\ blank/file; cat /in/file; ls /run/ro && echo x > /run/ro/y");
  request.mutable_config()->mutable_image()->set_image("localhost/links:1");
  for (const char* place : {"/with blank", "/in", "/run/ro"}) {
    auto* mount = request.mutable_config()->add_mounts();
    mount->set_host_path(data);
    mount->set_container_path(place);
    mount->set_readonly(place == std::string("/run/ro"));
  }
  EXPECT_EQ(OutputOf(request).value_or(""), "hi\nfile\n");
  auto out = Script("out", "exec true");
  out.mutable_config()->mutable_image()->set_image("localhost/links:1");
  auto* mount = out.mutable_config()->add_mounts();
  mount->set_host_path(data);
  mount->set_container_path("/out/there");
  auto id = Create(out);
  EXPECT_NE(access("/outside", F_OK), 0);
  EXPECT_NE(access((node().directory() + "/outside").c_str(), F_OK), 0);
  RemoveAll();
}

TEST_F(Lxc, WhatLxcCannotDoIsRefusedByName) {
  auto ambient = Script("ambient", "true");
  Context(ambient)->mutable_capabilities()->add_add_ambient_capabilities("NET_BIND_SERVICE");
  auto refused = Create(ambient);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("add_ambient_capabilities"));
  RemoveAll();
}

class LxcUserNamespace : public Lxc {
 protected:
  LxcUserNamespace() { handler_ = "lxc"; }
};

TEST_F(LxcUserNamespace, IsThereUnasked) {
  const std::string id = Running(Script("main", "id -u; cat /proc/self/uid_map; exec sleep 1000"));
  auto map = Exec(id, {"/bin/cat", "/proc/self/uid_map"});
  ASSERT_THAT(map, IsOk());
  const std::vector<std::string> numbers = absl::StrSplit(map->stdout(), ' ', absl::SkipEmpty());
  ASSERT_EQ(numbers.size(), 3u) << map->stdout();
  EXPECT_EQ(numbers[0], "0");
  EXPECT_EQ(numbers[1], "1000000");
  EXPECT_EQ(Exec(id, {"/bin/sh", "-c", "touch /file && stat -c %u /file && id -u"})->stdout(),
            "0\n0\n");
  EXPECT_EQ(Exec(id, {"/bin/sh", "-c", "echo x > /dev/stdout"})->stdout(), "x\n");
  EXPECT_THAT(Stop(id, 0), IsOk());
  EXPECT_EQ(Status(id)->exit_code(), 137);
  RemoveAll();
}

TEST_F(LxcUserNamespace, GroupsAreRefusedBeforeLiblxc6) {
  auto request = Script("main", "id");
  Context(request)->add_supplemental_groups(3000);
  auto refused = Create(request);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("supplemental_groups"));
  RemoveAll();
}

TEST_F(Lxc, MixedPodSharesItsNetwork) {
  ImportImage("localhost/db-busybox:1", {"--label", "kind=database"});
  auto pod = RunPod(NetworkedPod("mixed"));
  ASSERT_THAT(pod, IsOk());
  pod_ = *pod;
  // The database, by the rule for its image, is liblxc's; who asks it is crun's.
  auto server = ContainerRequest(
      *pod, "server", {"/bin/sh", "-c", "while :; do echo served | nc -l -p 8080; done"});
  server.mutable_config()->mutable_image()->set_image("localhost/db-busybox:1");
  server.mutable_config()->mutable_image()->set_user_specified_image("localhost/db-busybox:1");
  const std::string lxc = Running(server);
  const std::string crun = Running(ContainerRequest(*pod, "client", {"/bin/sleep", "1000"}));
  auto runtime = [&](const std::string& id) {
    cri::ContainerStatusRequest request;
    request.set_container_id(id);
    request.set_verbose(true);
    auto response = cri().Call(&Runtime::ContainerStatus, request, kPatience);
    return response.ok() ? response->info().at("info") : response.status().ToString();
  };
  EXPECT_THAT(runtime(lxc), HasSubstr("\"runtime\":\"plain\""));
  EXPECT_THAT(runtime(crun), HasSubstr("\"runtime\":\"crun\""));
  auto answer = Exec(crun, {"/bin/sh", "-c", "sleep 0.3; echo | nc 127.0.0.1 8080"});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->stdout(), "served\n");
  EXPECT_EQ(Exec(lxc, {"/bin/hostname"})->stdout(), Exec(crun, {"/bin/hostname"})->stdout());
  EXPECT_EQ(Exec(lxc, {"/bin/ip", "-o", "addr"})->stdout(),
            Exec(crun, {"/bin/ip", "-o", "addr"})->stdout());
  RemoveAll();
}

TEST_F(Lxc, OutlivesTheDaemons) {
  const std::string id = Running(
      Script("main", "trap 'exit 9' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"));
  for (const char* name : {"frontend", "broker", "spawner"}) {
    const pid_t before = node().Daemon(name);
    ASSERT_EQ(kill(before, SIGKILL), 0);
    EXPECT_TRUE(Eventually(kPatience, [&] {
      const pid_t now = node().Daemon(name);
      return now > 0 && now != before && Status(id).ok();
    })) << name;
    auto status = Status(id);
    ASSERT_THAT(status, IsOk());
    ASSERT_EQ(status->state(), cri::CONTAINER_RUNNING) << name;
    const size_t length = LogText(*status).size();
    EXPECT_TRUE(Eventually(absl::Seconds(5), [&] { return LogText(*status).size() > length; }));
    EXPECT_THAT(Exec(id, {"/bin/true"}), IsOk()) << name;
  }
  EXPECT_THAT(Stop(id, 20), IsOk());
  EXPECT_EQ(Status(id)->exit_code(), 9);
  RemoveAll();
}

TEST_F(Lxc, ConfigCheckSaysWhichAndWhy) {
  Output checked = node().Bulkhead({"config", "check", "--image", "localhost/db-x:1"});
  EXPECT_THAT(checked.out, HasSubstr("runtime lxc: "));
  EXPECT_THAT(checked.out, HasSubstr("liblxc "));
  EXPECT_THAT(checked.out,
              HasSubstr("choice: runtime plain (type lxc), by image rule 'localhost/db-*'"));
  checked = node().Bulkhead({"config", "check", "--image", "localhost/db-x:1", "--handler", "lxc"});
  EXPECT_THAT(checked.out, HasSubstr("choice: runtime lxc (type lxc), by the pod's handler"));
  checked = node().Bulkhead({"config", "check", "--image", "nginx"});
  EXPECT_THAT(checked.out, HasSubstr("choice: runtime crun (type oci), by default_runtime"));
}

}  // namespace
}  // namespace bulkhead::test
