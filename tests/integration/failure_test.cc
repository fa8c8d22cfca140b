// How it must fail: a clear code, a message that names the thing, nothing left behind, and the next
// request works.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using Runtime = tools::CriClient::Runtime;

class Failure : public NodeTest {
 protected:
  // The next request works.
  void ExpectAlive() {
    auto pod = RunPod(PodRequest("next"));
    ASSERT_THAT(pod, IsOk());
    auto output = OutputOf(ContainerRequest(*pod, "next", {"/bin/echo", "fine"}));
    ASSERT_THAT(output, IsOk());
    EXPECT_EQ(*output, "fine\n");
    RemoveAll();
  }
  static void ExpectError(const absl::Status& status, absl::StatusCode code,
                          const std::string& names) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(names));
  }
};

TEST_F(Failure, UnknownAndMalformedThings) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto request = ContainerRequest(*pod, "main", {"/bin/true"});
  request.mutable_config()->mutable_image()->set_image("localhost/none:1");
  ExpectError(Create(request).status(), absl::StatusCode::kNotFound, "localhost/none:1");
  request.mutable_config()->mutable_image()->set_image("Not A Name");
  ExpectError(Create(request).status(), absl::StatusCode::kInvalidArgument, "image");

  std::string nobody(64, 'a');
  auto orphan = ContainerRequest(*pod, "main", {"/bin/true"});
  orphan.set_pod_sandbox_id(nobody);
  ExpectError(Create(orphan).status(), absl::StatusCode::kNotFound, nobody.substr(0, 8));
  ExpectError(Start(nobody), absl::StatusCode::kNotFound, nobody.substr(0, 8));
  ExpectError(PodStatus(nobody).status(), absl::StatusCode::kNotFound, nobody.substr(0, 8));
  ExpectError(Exec(nobody, {"/bin/true"}).status(), absl::StatusCode::kNotFound,
              nobody.substr(0, 8));
  EXPECT_FALSE(Start("../../etc").ok());
  EXPECT_THAT(Stop(nobody, 1), IsOk());
  EXPECT_THAT(Remove(nobody), IsOk());
  EXPECT_THAT(StopPod(nobody), IsOk());
  EXPECT_THAT(RemovePod(nobody), IsOk());
  RemoveAll();
  ExpectAlive();
}

TEST_F(Failure, WrongState) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/bin/true"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  ASSERT_THAT(AwaitExit(*container), IsOk());
  ExpectError(Start(*container), absl::StatusCode::kFailedPrecondition, container->substr(0, 8));
  ExpectError(Exec(*container, {"/bin/true"}).status(), absl::StatusCode::kFailedPrecondition,
              container->substr(0, 8));
  ASSERT_THAT(StopPod(*pod), IsOk());
  ExpectError(Create(ContainerRequest(*pod, "late", {"/bin/true"})).status(),
              absl::StatusCode::kFailedPrecondition, pod->substr(0, 8));
  RemoveAll();
  ExpectAlive();
}

TEST_F(Failure, NameTaken) {
  auto request = PodRequest("pod");
  auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  request.mutable_config()->set_hostname("other");
  auto other = cri().Call(&Runtime::RunPodSandbox, request, kPatience);
  ExpectError(other.status(), absl::StatusCode::kAlreadyExists, *pod);
  auto create = ContainerRequest(*pod, "main", {"/bin/true"});
  auto container = Create(create);
  ASSERT_THAT(container, IsOk());
  create.mutable_config()->set_command(0, "/bin/false");
  ExpectError(Create(create).status(), absl::StatusCode::kAlreadyExists, *container);
  RemoveAll();
  ExpectAlive();
}

TEST_F(Failure, FieldsAreNamed) {
  auto request = PodRequest("");
  ExpectError(RunPod(request).status(), absl::StatusCode::kInvalidArgument, "metadata.name");
  request = PodRequest("pod");
  request.mutable_config()->set_log_directory("/var/../etc");
  ExpectError(RunPod(request).status(), absl::StatusCode::kInvalidArgument, "log_directory");
  request = PodRequest(std::string(1 << 20, 'x'));
  ExpectError(RunPod(request).status(), absl::StatusCode::kInvalidArgument, "metadata.name");
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto create = ContainerRequest(*pod, "main", {"/bin/true"});
  create.mutable_config()->set_log_path("../../escape");
  ExpectError(Create(create).status(), absl::StatusCode::kInvalidArgument, "log_path");
  create = ContainerRequest(*pod, "main", {"/bin/true"});
  auto* mount = create.mutable_config()->add_mounts();
  mount->set_host_path("relative");
  mount->set_container_path("/x");
  ExpectError(Create(create).status(), absl::StatusCode::kInvalidArgument, "host_path");
  RemoveAll();
  ExpectAlive();
}

TEST_F(Failure, ProgramThatIsNotThere) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/no/such/program"}));
  absl::Status status = container.ok() ? Start(*container) : container.status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/program"));
  RemoveAll();
  ExpectAlive();
}

TEST_F(Failure, BytesThatAreNoGrpc) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1 << 16, 'x'),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff")}) {
    base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, (node().run_dir() + "/cri.sock").c_str());
    ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_GT(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
  }
  ExpectAlive();
}

TEST_F(Failure, RequestTooBig) {
  auto request = PodRequest("pod");
  (*request.mutable_config()->mutable_annotations())["big"] = std::string(20 << 20, 'x');
  absl::Status status = RunPod(request).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status) || absl::IsInvalidArgument(status)) << status;
  ExpectAlive();
}

// crun that is there when asked for its version, and fails at whatever else it is asked.
class BrokenRuntime : public Failure {
 protected:
  NodeOptions Options() override {
    program_ = "/tmp/bhtest-runtime";
    std::ofstream(program_) << "#!/bin/sh\n[ \"$1\" = --version ] && exec /usr/bin/crun --version\n"
                               "echo 'out of order' >\"$4\"\nexit 1\n";  // --root R --log F
    chmod(program_.c_str(), 0755);
    NodeOptions options;
    options.runtime = program_;
    return options;
  }
  ~BrokenRuntime() override { unlink(program_.c_str()); }
  std::string program_;
};

TEST_F(BrokenRuntime, CreateFailsAndLeavesNothing) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/bin/true"}));
  EXPECT_FALSE(container.ok());
  EXPECT_THAT(std::string(container.status().message()), HasSubstr("out of order"));
  RemoveAll();
}

class MissingRuntime : public Failure {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.runtime = "/no/such/crun";
    return options;
  }
};

TEST_F(MissingRuntime, SaysSo) {
  auto status = cri().Call(&Runtime::Status, cri::StatusRequest(), kPatience);
  ASSERT_THAT(status, IsOk());
  for (const auto& condition : status->status().conditions()) {
    if (condition.type() != "RuntimeReady") continue;
    EXPECT_FALSE(condition.status());
    EXPECT_THAT(condition.message(), HasSubstr("/no/such/crun"));
  }
  auto pod = RunPod(PodRequest("pod"));
  absl::Status outcome = pod.status();
  if (pod.ok()) outcome = Create(ContainerRequest(*pod, "main", {"/bin/true"})).status();
  ExpectError(outcome, absl::StatusCode::kFailedPrecondition, "/no/such/crun");
  RemoveAll();
}

class FullDisk : public Failure {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.root_tmpfs_bytes = 24 << 20;
    return options;
  }
};

TEST_F(FullDisk, ImportFailsAndGivesTheSpaceBack) {
  Output imported = node().Import(
      "localhost/big:1", {"--extra-layers", "1", "--layer-bytes", std::to_string(30 << 20)});
  EXPECT_EQ(imported.code, 1);
  EXPECT_THAT(imported.err, HasSubstr("space"));
  ExpectAlive();
}

}  // namespace
}  // namespace bulkhead::test
