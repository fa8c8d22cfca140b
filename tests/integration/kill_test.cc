// A process that is killed in the midst of each step of a pod's life. What was under way ends with
// a clear status, the same call again does what it should, and the leak check finds nothing.
#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/fixture.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

using Runtime = tools::CriClient::Runtime;

class Kill : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.cni = true;
    return options;
  }

  // The calls of a pod's life in turn, each as a function that may be called again.
  using Call = std::function<absl::Status(tools::CriClient&)>;
  std::vector<std::pair<const char*, Call>> Life(const std::string& name) {
    pod_request_ = NetworkedPod(name);
    return {
        {"RunPodSandbox",
         [this](tools::CriClient& client) {
           auto ran = client.Call(&Runtime::RunPodSandbox, pod_request_, kPatience);
           if (ran.ok()) pod_ = ran->pod_sandbox_id();
           return ran.status();
         }},
        {"CreateContainer",
         [this](tools::CriClient& client) {
           auto request = ContainerRequest(pod_, "main", {"/bin/sh", "-c", kScript});
           *request.mutable_sandbox_config() = pod_request_.config();
           *request.mutable_config()
                ->mutable_linux()
                ->mutable_security_context()
                ->mutable_namespace_options() =
               pod_request_.config().linux().security_context().namespace_options();
           auto created = client.Call(&Runtime::CreateContainer, request, kPatience);
           if (created.ok()) container_ = created->container_id();
           return created.status();
         }},
        {"StartContainer",
         [this](tools::CriClient& client) {
           cri::StartContainerRequest request;
           request.set_container_id(container_);
           auto started = client.Call(&Runtime::StartContainer, request, kPatience).status();
           // The first try may have come to its end unheard.
           const bool runs = absl::IsFailedPrecondition(started) && Runs(client);
           return runs ? absl::OkStatus() : started;
         }},
        {"StopContainer",
         [this](tools::CriClient& client) {
           cri::StopContainerRequest request;
           request.set_container_id(container_);
           request.set_timeout(5);
           return client.Call(&Runtime::StopContainer, request, kPatience).status();
         }},
        {"RemoveContainer",
         [this](tools::CriClient& client) {
           cri::RemoveContainerRequest request;
           request.set_container_id(container_);
           return client.Call(&Runtime::RemoveContainer, request, kPatience).status();
         }},
        {"StopPodSandbox",
         [this](tools::CriClient& client) {
           cri::StopPodSandboxRequest request;
           request.set_pod_sandbox_id(pod_);
           return client.Call(&Runtime::StopPodSandbox, request, kPatience).status();
         }},
        {"RemovePodSandbox",
         [this](tools::CriClient& client) {
           cri::RemovePodSandboxRequest request;
           request.set_pod_sandbox_id(pod_);
           return client.Call(&Runtime::RemovePodSandbox, request, kPatience).status();
         }},
    };
  }

  bool Runs(tools::CriClient& client) {
    cri::ContainerStatusRequest request;
    request.set_container_id(container_);
    auto status = client.Call(&Runtime::ContainerStatus, request, kPatience);
    return status.ok() && status->status().state() == cri::CONTAINER_RUNNING;
  }

  // Makes the call, kills in its midst, and makes it again until it is done.
  void Disturb(const char* step, const Call& call, const std::function<void()>& kill) {
    absl::Status first = absl::UnknownError("");
    std::thread caller([&] {
      tools::CriClient client(node().cri_socket());
      first = call(client);
    });
    kill();
    caller.join();
    EXPECT_FALSE(absl::IsUnknown(first) || absl::IsInvalidArgument(first)) << step << first;
    tools::CriClient client(node().cri_socket());
    absl::Status last = first;
    Eventually(absl::Seconds(30), [&] { return (last = call(client)).ok(); });
    EXPECT_THAT(last, IsOk()) << step << ", at first " << first;
  }

  void KillDaemon(const std::string& name, absl::Duration delay) {
    absl::SleepFor(delay);
    if (pid_t pid = node().Daemon(name); pid > 0) ::kill(pid, SIGKILL);
  }

  static constexpr char kScript[] = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
  cri::RunPodSandboxRequest pod_request_;
  std::string pod_, container_;
};

// A daemon, and after how many milliseconds of each call it is killed.
using Blow = std::pair<const char*, int>;
class KillDaemons : public Kill, public ::testing::WithParamInterface<Blow> {};

TEST_P(KillDaemons, InTheMidstOfEachStep) {
  const auto [daemon, milliseconds] = GetParam();
  for (const auto& [step, call] : Life("pod")) {
    Disturb(step, call, [&] { KillDaemon(daemon, absl::Milliseconds(milliseconds)); });
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, KillDaemons,
                         ::testing::Values(Blow("frontend", 5), Blow("broker", 2),
                                           Blow("broker", 8), Blow("broker", 25)),
                         [](const auto& info) {
                           return absl::StrCat(info.param.first, "_", info.param.second);
                         });

class KillWorkers : public Kill, public ::testing::WithParamInterface<const char*> {};

// No worker of the kind lives long for as long as the call lasts, or for a second.
TEST_P(KillWorkers, InTheMidstOfEachStep) {
  const std::string name = absl::StrCat("bh-", GetParam());
  for (const auto& [step, call] : Life("pod")) {
    std::atomic<bool> done = false;
    Disturb(
        step,
        [&, call = call](tools::CriClient& client) {
          absl::Status status = call(client);
          done = true;
          return status;
        },
        [&] {
          const pid_t spawner = node().Daemon("spawner");
          for (const absl::Time end = absl::Now() + absl::Seconds(1); !done && absl::Now() < end;) {
            for (const ProcessInfo& process : Descendants(spawner)) {
              if (process.name == name) ::kill(process.pid, SIGKILL);
            }
            absl::SleepFor(absl::Milliseconds(1));
          }
        });
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, KillWorkers,
                         ::testing::Values("sandbox", "cgroup", "mount", "user", "launch", "signal",
                                           "remove", "network", "cni"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace bulkhead::test
