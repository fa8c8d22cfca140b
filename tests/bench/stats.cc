// Asks runtimes for the statistics of their containers, in turn, in one run.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/client/cri.h"

namespace bulkhead::bench {
namespace {

namespace cri = ::runtime::v1;
using Runtime = tools::CriClient::Runtime;

constexpr absl::Duration kPatience = absl::Minutes(4);

struct Plan {
  std::vector<std::string> sockets;
  int containers = 50;
  int rounds = 20;
  std::string image;
  std::string command;
};

// One runtime, with the containers that this run made in it.
class Subject {
 public:
  explicit Subject(const std::string& socket) : socket_(socket), client_(socket) {}
  ~Subject() {
    for (const std::string& pod : pods_) {
      cri::StopPodSandboxRequest stop;
      stop.set_pod_sandbox_id(pod);
      client_.Call(&Runtime::StopPodSandbox, stop, kPatience).status().IgnoreError();
      cri::RemovePodSandboxRequest remove;
      remove.set_pod_sandbox_id(pod);
      client_.Call(&Runtime::RemovePodSandbox, remove, kPatience).status().IgnoreError();
    }
  }

  absl::Status AddContainer(const Plan& plan, int number) {
    cri::RunPodSandboxRequest run;
    cri::PodSandboxConfig& config = *run.mutable_config();
    config.mutable_metadata()->set_name(absl::StrCat("bench-", getpid(), "-", number));
    config.mutable_metadata()->set_uid(config.metadata().name());
    config.mutable_metadata()->set_namespace_("bench");
    config.mutable_linux()->set_cgroup_parent(absl::StrCat("/bench/", config.metadata().uid()));
    cri::NamespaceOption& namespaces =
        *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
    namespaces.set_network(cri::NODE);
    namespaces.set_pid(cri::CONTAINER);
    auto pod = client_.Call(&Runtime::RunPodSandbox, run, kPatience);
    if (!pod.ok()) return pod.status();
    pods_.push_back(pod->pod_sandbox_id());
    cri::CreateContainerRequest create;
    create.set_pod_sandbox_id(pods_.back());
    *create.mutable_sandbox_config() = config;
    create.mutable_config()->mutable_metadata()->set_name("main");
    create.mutable_config()->mutable_image()->set_image(plan.image);
    create.mutable_config()->add_command(plan.command);
    *create.mutable_config()
         ->mutable_linux()
         ->mutable_security_context()
         ->mutable_namespace_options() = namespaces;
    auto container = client_.Call(&Runtime::CreateContainer, create, kPatience);
    if (!container.ok()) return container.status();
    cri::StartContainerRequest start;
    start.set_container_id(container->container_id());
    return client_.Call(&Runtime::StartContainer, start, kPatience).status();
  }

  // One look at all; remembers how long it took. False: an error, or not as many as there should
  // be.
  bool Look(size_t expected) {
    const absl::Time begin = absl::Now();
    auto containers =
        client_.Call(&Runtime::ListContainerStats, cri::ListContainerStatsRequest(), kPatience);
    const absl::Time between = absl::Now();
    auto pods =
        client_.Call(&Runtime::ListPodSandboxStats, cri::ListPodSandboxStatsRequest(), kPatience);
    const absl::Time end = absl::Now();
    if (!containers.ok() || !pods.ok()) return false;
    size_t full = 0;
    for (const auto& stats : containers->stats()) full += stats.has_cpu() && stats.has_memory();
    containers_.push_back(absl::ToDoubleMilliseconds(between - begin));
    pods_took_.push_back(absl::ToDoubleMilliseconds(end - between));
    return full >= expected;
  }

  const std::string& socket() const { return socket_; }
  double containers_median() { return Median(containers_); }
  double pods_median() { return Median(pods_took_); }

 private:
  static double Median(std::vector<double>& times) {
    if (times.empty()) return 0;
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

  std::string socket_;
  tools::CriClient client_;
  std::vector<std::string> pods_;
  std::vector<double> containers_, pods_took_;
};

int Run(const Plan& plan) {
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const std::string& socket : plan.sockets) {
    subjects.push_back(std::make_unique<Subject>(socket));
    for (int i = 0; i < plan.containers; ++i) {
      const absl::Status made = subjects.back()->AddContainer(plan, i);
      if (!made.ok())
        return fprintf(stderr, "%s: %s\n", socket.c_str(), made.ToString().c_str()), 1;
    }
  }
  for (int round = 0; round < plan.rounds; ++round) {
    for (auto& subject : subjects) {
      if (!subject->Look(static_cast<size_t>(plan.containers))) {
        return fprintf(stderr, "%s: not all were there\n", subject->socket().c_str()), 1;
      }
    }
    absl::SleepFor(absl::Milliseconds(200));
  }
  printf("%-50s %20s %20s\n", "ms, median", "ListContainerStats", "ListPodSandboxStats");
  for (auto& subject : subjects) {
    printf("%-50s %20.1f %20.1f\n", subject->socket().c_str(), subject->containers_median(),
           subject->pods_median());
  }
  return 0;
}

int Main(int argc, char** argv) {
  Plan plan = {.command = "/pause"};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--socket") plan.sockets.push_back(argv[i + 1]);
    if (option == "--containers") plan.containers = atoi(argv[i + 1]);
    if (option == "--rounds") plan.rounds = atoi(argv[i + 1]);
    if (option == "--image") plan.image = argv[i + 1];
    if (option == "--command") plan.command = argv[i + 1];
  }
  if (!plan.sockets.empty() && !plan.image.empty() && plan.containers > 0 && plan.rounds > 0)
    return Run(plan);
  fprintf(stderr,
          "usage: %s --socket PATH [--socket PATH]... --image REFERENCE [--command PROGRAM]\n"
          "       [--containers N] [--rounds N]\n",
          argv[0]);
  return 2;
}

}  // namespace
}  // namespace bulkhead::bench

int main(int argc, char** argv) { return bulkhead::bench::Main(argc, argv); }
