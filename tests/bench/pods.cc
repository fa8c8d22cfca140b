// Runs, stops and removes pods without containers, several at once, against any CRI socket.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/client/cri.h"

namespace bulkhead::bench {
namespace {

namespace cri = ::runtime::v1;
using Runtime = tools::CriClient::Runtime;

constexpr absl::Duration kPatience = absl::Minutes(4);
constexpr int kWarmUp = 3;

struct Plan {
  std::string socket;
  int pods = 50;
  int at_once = 1;
  bool cni = false;
};

class Times {
 public:
  void Add(const char* call, absl::Duration took) {
    std::lock_guard<std::mutex> lock(mutex_);
    by_call_[call].push_back(absl::ToDoubleMilliseconds(took));
  }
  void Print() {
    printf("%-18s %8s %8s %8s\n", "ms", "median", "p90", "p99");
    for (auto& [call, times] : by_call_) {
      std::sort(times.begin(), times.end());
      const auto at = [&times = times](double share) {
        return times[std::min(times.size() - 1, static_cast<size_t>(share * times.size()))];
      };
      printf("%-18s %8.1f %8.1f %8.1f\n", call.c_str(), at(0.5), at(0.9), at(0.99));
    }
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<double>> by_call_;
};

cri::RunPodSandboxRequest PodRequest(const Plan& plan, int number) {
  cri::RunPodSandboxRequest request;
  cri::PodSandboxConfig& config = *request.mutable_config();
  config.mutable_metadata()->set_name(absl::StrCat("bench-", getpid(), "-", number));
  config.mutable_metadata()->set_uid(config.metadata().name());
  config.mutable_metadata()->set_namespace_("bench");
  config.set_log_directory("/tmp");
  config.mutable_linux()->set_cgroup_parent("/bench");
  cri::NamespaceOption& namespaces =
      *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  namespaces.set_network(plan.cni ? cri::POD : cri::NODE);
  namespaces.set_pid(cri::CONTAINER);
  return request;
}

template <typename Request, typename Response>
absl::StatusOr<Response> Timed(tools::CriClient& client, const char* call,
                               grpc::Status (Runtime::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                               const Request& request, Times* times) {
  const absl::Time begin = absl::Now();
  absl::StatusOr<Response> response = client.Call(method, request, kPatience);
  if (response.ok() && times != nullptr) times->Add(call, absl::Now() - begin);
  return response;
}

absl::Status OnePod(tools::CriClient& client, const Plan& plan, int number, Times* times) {
  auto run =
      Timed(client, "RunPodSandbox", &Runtime::RunPodSandbox, PodRequest(plan, number), times);
  if (!run.ok()) return run.status();
  cri::StopPodSandboxRequest stop;
  stop.set_pod_sandbox_id(run->pod_sandbox_id());
  auto stopped = Timed(client, "StopPodSandbox", &Runtime::StopPodSandbox, stop, times);
  if (!stopped.ok()) return stopped.status();
  cri::RemovePodSandboxRequest remove;
  remove.set_pod_sandbox_id(run->pod_sandbox_id());
  return Timed(client, "RemovePodSandbox", &Runtime::RemovePodSandbox, remove, times).status();
}

int Run(const Plan& plan) {
  tools::CriClient first(plan.socket);
  for (int i = 0; i < kWarmUp; ++i) {
    const absl::Status status = OnePod(first, plan, -1 - i, nullptr);
    if (!status.ok()) return fprintf(stderr, "%s\n", status.ToString().c_str()), 1;
  }
  Times times;
  std::atomic<int> next = 0, failed = 0;
  std::vector<std::thread> threads;
  const absl::Time begin = absl::Now();
  for (int t = 0; t < plan.at_once; ++t) {
    threads.emplace_back([&] {
      tools::CriClient client(plan.socket);
      for (int number = next++; number < plan.pods; number = next++) {
        const absl::Status status = OnePod(client, plan, number, &times);
        if (status.ok()) continue;
        ++failed;
        fprintf(stderr, "%s\n", status.ToString().c_str());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  times.Print();
  printf("%d pods, %d at once, %s network: %.2f s, %.1f pods a second, %d failed\n", plan.pods,
         plan.at_once, plan.cni ? "CNI" : "host", seconds, plan.pods / seconds, failed.load());
  return failed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Plan plan;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--socket") plan.socket = argv[i + 1];
    if (option == "--pods") plan.pods = atoi(argv[i + 1]);
    if (option == "--at-once") plan.at_once = atoi(argv[i + 1]);
    if (option == "--network") plan.cni = strcmp(argv[i + 1], "cni") == 0;
  }
  if (!plan.socket.empty() && plan.pods > 0 && plan.at_once > 0) return Run(plan);
  fprintf(stderr, "usage: %s --socket PATH [--pods N] [--at-once N] [--network host|cni]\n",
          argv[0]);
  return 2;
}

}  // namespace
}  // namespace bulkhead::bench

int main(int argc, char** argv) { return bulkhead::bench::Main(argc, argv); }
