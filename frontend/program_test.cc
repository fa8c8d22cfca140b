// The real program, started and confined as the supervisor does it, under load: a system call that
// its profile has forgotten would kill it.
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "cri/v1/api.grpc.pb.h"
#include "frontend/testing/fake_broker.h"
#include "frontend/testing/harness.h"
#include "schema/config.capnp.h"
#include "security/enforce/spawn.h"

namespace bulkhead::frontend {
namespace {

std::string ConfigBytes() {
  capnp::MallocMessageBuilder message;
  auto config = message.initRoot<schema::Config>();
  config.setRootDir("/var/lib/bulkhead");
  config.setDefaultRuntime("crun");
  config.initRuntimes(1)[0].setName("crun");
  const auto words = capnp::messageToFlatArray(message);
  return std::string(words.asChars().begin(), words.asChars().size());
}

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can start a confined process";
    char name[] = "/tmp/bulkhead-program-XXXXXX";
    ASSERT_NE(nullptr, mkdtemp(name));
    ASSERT_EQ(0, chmod(name, 0755));
    directory_ = name;
    Start();
  }

  void TearDown() override {
    if (spawned_.pid > 0) kill(spawned_.pid, SIGKILL);
    if (spawned_.pid > 0) waitpid(spawned_.pid, nullptr, 0);
    if (directory_.empty()) return;
    unlink((directory_ + "/cri.sock").c_str());
    rmdir(directory_.c_str());
  }

  void Start() {
    const base::UniqueFd listener = ListenAt(directory_ + "/cri.sock");
    base::FdPair ends = std::move(*base::MakeSocketPair(SOCK_STREAM));
    const base::UniqueFd config = std::move(*base::MakeSealedMemfd("config", ConfigBytes()));
    const base::UniqueFd program(open(BULKHEAD_FRONTEND_PROGRAM, O_PATH | O_CLOEXEC));
    ASSERT_GE(program.get(), 0) << BULKHEAD_FRONTEND_PROGRAM;
    security::SpawnOptions options;
    options.program = program.get();
    options.fds = {ends.first.get(), listener.get(), config.get()};
    auto spawned = security::Spawn(security::kFrontendProfile, options);
    ASSERT_TRUE(spawned.ok()) << spawned.status();
    spawned_ = std::move(*spawned);
    ends.first.Reset();
    // Threads only now: Spawn wants a process without them.
    broker_ = std::make_unique<FakeBroker>(std::move(ends.second));
    runtime_ = v1::RuntimeService::NewStub(ConnectTo(directory_ + "/cri.sock"));
  }

  bool VersionWorks() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::VersionResponse response;
    const grpc::Status status = runtime_->Version(&context, v1::VersionRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return status.ok();
  }

  // The status of the ended program, or -1 where it still runs after ten seconds.
  int WaitForEnd() {
    for (int i = 0; i < 1000; ++i) {
      int status = 0;
      if (waitpid(spawned_.pid, &status, WNOHANG) == spawned_.pid) {
        spawned_.pid = -1;
        return status;
      }
      absl::SleepFor(absl::Milliseconds(10));
    }
    return -1;
  }

  std::string directory_;
  security::Spawned spawned_;
  std::unique_ptr<FakeBroker> broker_;
  std::unique_ptr<v1::RuntimeService::Stub> runtime_;
};

TEST_F(Program, ServesManyClientsAtOnceInsideItsProfile) {
  ASSERT_TRUE(VersionWorks());
  broker_->answers.stdout_bytes = 4 << 20;
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 24; ++i) {
    threads.emplace_back([&] {
      auto stub = v1::RuntimeService::NewStub(ConnectTo(directory_ + "/cri.sock"));
      for (int j = 0; j < 10; ++j) {
        grpc::ClientContext context;
        v1::ExecSyncRequest request;
        request.set_container_id("c0");
        request.add_cmd("cat");
        v1::ExecSyncResponse response;
        if (stub->ExecSync(&context, request, &response).ok()) ++good;
        // Failures are logged with their request, redacted.
        grpc::ClientContext failing;
        v1::RunPodSandboxResponse none;
        stub->RunPodSandbox(&failing, v1::RunPodSandboxRequest(), &none);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(240, good);
  EXPECT_TRUE(VersionWorks());
}

TEST_F(Program, EndsWithOneWhenTheBrokerDies) {
  ASSERT_TRUE(VersionWorks());
  broker_->Die();
  const int status = WaitForEnd();
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(1, WEXITSTATUS(status));
}

TEST_F(Program, EndsWhenAskedTo) {
  ASSERT_TRUE(VersionWorks());
  kill(spawned_.pid, SIGTERM);
  const int status = WaitForEnd();
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(0, WEXITSTATUS(status));
}

}  // namespace
}  // namespace bulkhead::frontend
