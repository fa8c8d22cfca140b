// Measures exec and port-forward of runtimes as kubelet's clients use them, CRI and then SPDY: in
// turn, in one run.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/proc.h"
#include "tests/support/stream_client.h"
#include "tools/client/cri.h"

namespace bulkhead::test {
namespace {

namespace cri = ::runtime::v1;
using Runtime = tools::CriClient::Runtime;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kOpenStreams = 20;
constexpr size_t kMiB = 1 << 20;
constexpr size_t kFlood = 512 * kMiB;
constexpr char kPort[] = "9000";
// Whoever connects is sent zeroes without end.
constexpr char kServe[] = "exec nc -lk -p 9000 -e cat /dev/zero";

struct Plan {
  std::vector<std::string> sockets;
  std::vector<int> trees;  // for each socket: the process whose descendants are the runtime
  std::string image;
  int rounds = 5;
  int runs = 20;  // of each latency in a round
};

using ClientPtr = std::unique_ptr<SpdyClient>;

// One runtime, with the pod and the container that this run made in it.
class Subject {
 public:
  Subject(const std::string& socket, int tree) : socket_(socket), tree_(tree), client_(socket) {}
  ~Subject() {
    cri::StopPodSandboxRequest stop;
    stop.set_pod_sandbox_id(pod_);
    client_.Call(&Runtime::StopPodSandbox, stop, kPatience).status().IgnoreError();
    cri::RemovePodSandboxRequest remove;
    remove.set_pod_sandbox_id(pod_);
    client_.Call(&Runtime::RemovePodSandbox, remove, kPatience).status().IgnoreError();
  }
  Subject(const Subject&) = delete;

  absl::Status Begin(const std::string& image) {
    cri::RunPodSandboxRequest run;
    cri::PodSandboxConfig& config = *run.mutable_config();
    config.mutable_metadata()->set_name(absl::StrCat("bench-", getpid()));
    config.mutable_metadata()->set_uid(config.metadata().name());
    config.mutable_metadata()->set_namespace_("bench");
    config.mutable_linux()->set_cgroup_parent(absl::StrCat("/bench/", config.metadata().uid()));
    auto pod = client_.Call(&Runtime::RunPodSandbox, run, kPatience);
    if (!pod.ok()) return pod.status();
    pod_ = pod->pod_sandbox_id();
    cri::CreateContainerRequest create;
    create.set_pod_sandbox_id(pod_);
    *create.mutable_sandbox_config() = config;
    create.mutable_config()->mutable_metadata()->set_name("main");
    create.mutable_config()->mutable_image()->set_image(image);
    for (const char* word : {"/bin/sh", "-c", kServe}) create.mutable_config()->add_command(word);
    create.mutable_config()->mutable_linux();
    auto container = client_.Call(&Runtime::CreateContainer, create, kPatience);
    if (!container.ok()) return container.status();
    container_ = container->container_id();
    cri::StartContainerRequest start;
    start.set_container_id(container_);
    return client_.Call(&Runtime::StartContainer, start, kPatience).status();
  }

  const std::string& socket() const { return socket_; }

  bool ExecSync() {
    cri::ExecSyncRequest request;
    request.set_container_id(container_);
    request.add_cmd("true");
    request.set_timeout(20);
    return client_.Call(&Runtime::ExecSync, request, kPatience).ok();
  }
  bool ExecStreamed() { return OpenExec({"true"})->AwaitText(1, "Success", kPatience); }
  bool ForwardOne() {
    ClientPtr client = OpenForward();
    return client->Await(kPatience, [&] { return !client->data(3).empty(); });
  }
  double ExecStdout() {
    return Receive(*OpenExec({"head", "-c", absl::StrCat(2 * kFlood), "/dev/zero"}));
  }
  double ForwardFlood() { return Receive(*OpenForward()); }

  double KibPerExec() {
    return KibPer([this] {
      auto client = OpenExec({"cat"}, true);
      client->Send(5, "x");
      client->AwaitText(3, "x", kPatience);
      return client;
    });
  }
  // Each in a client of its own, who does not read.
  double KibPerForward() {
    return KibPer([this] {
      auto client = OpenForward();
      client->Await(kPatience, [&] { return !client->data(3).empty(); });
      return client;
    });
  }

 private:
  ClientPtr OpenExec(const std::vector<std::string>& argv, bool in = false) {
    cri::ExecRequest request;
    request.set_container_id(container_);
    for (const std::string& word : argv) request.add_cmd(word);
    request.set_stdout(true);
    request.set_stdin(in);
    auto answer = client_.Call(&Runtime::Exec, request, kPatience);
    auto client = std::make_unique<SpdyClient>(answer.ok() ? answer->url() : "");
    client->Upgrade("v4.channel.k8s.io");
    client->Open(1, {{"streamtype", "error"}});
    client->Open(3, {{"streamtype", "stdout"}});
    if (in) client->Open(5, {{"streamtype", "stdin"}});
    return client;
  }
  ClientPtr OpenForward() {
    cri::PortForwardRequest request;
    request.set_pod_sandbox_id(pod_);
    auto answer = client_.Call(&Runtime::PortForward, request, kPatience);
    auto client = std::make_unique<SpdyClient>(answer.ok() ? answer->url() : "");
    client->Upgrade("portforward.k8s.io");
    client->Open(1, {{"streamtype", "error"}, {"port", kPort}, {"requestid", "1"}});
    client->Open(3, {{"streamtype", "data"}, {"port", kPort}, {"requestid", "1"}});
    return client;
  }

  // MiB a second, from the first byte on.
  static double Receive(SpdyClient& client) {
    if (!client.Await(kPatience, [&] { return !client.data(3).empty(); })) return 0;
    const absl::Time begin = absl::Now();
    size_t got = 0;
    const bool all = client.Await(kPatience, [&] { return (got += client.Drop(3)) >= kFlood; });
    if (!all) return 0;
    return static_cast<double>(got) / kMiB / absl::ToDoubleSeconds(absl::Now() - begin);
  }

  double KibPer(const std::function<ClientPtr()>& open_one) {
    const double before = Pss();
    std::vector<ClientPtr> open;
    for (int i = 0; i < kOpenStreams; ++i) open.push_back(open_one());
    absl::SleepFor(absl::Seconds(1));
    return std::max(0.0, Pss() - before) / kOpenStreams;
  }
  // KiB of the runtime's processes, without what runs in the container.
  double Pss() {
    static const std::set<std::string> workloads = {"cat", "nc", "pause"};
    double sum = 0;
    for (const ProcessInfo& info : Descendants(tree_)) {
      if (workloads.count(info.name) > 0) continue;
      std::ifstream file(absl::StrCat("/proc/", info.pid, "/smaps_rollup"));
      for (std::string word; file >> word;) {
        double kib = 0;
        if (word == "Pss:" && file >> kib) sum += kib;
      }
    }
    return sum;
  }

  const std::string socket_;
  const int tree_;
  tools::CriClient client_;
  std::string pod_, container_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

struct Measure {
  const char* name;
  std::function<double(Subject&)> take;
};

// The median of several runs, in ms.
Measure Latency(const char* name, bool (Subject::*once)(), int runs) {
  return {name, [name, once, runs](Subject& subject) {
            std::vector<double> ms;
            for (int i = 0; i < runs; ++i) {
              const absl::Time begin = absl::Now();
              if (!(subject.*once)()) fprintf(stderr, "%s: a run failed\n", name);
              ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - begin));
            }
            return Median(ms);
          }};
}

std::vector<Measure> Measures(const Plan& plan) {
  std::vector<Measure> all = {
      Latency("ExecSync, ms", &Subject::ExecSync, plan.runs),
      Latency("exec, streamed, ms", &Subject::ExecStreamed, plan.runs),
      Latency("port-forward to the first byte, ms", &Subject::ForwardOne, plan.runs),
      {"exec stdout, MiB/s", &Subject::ExecStdout},
      {"port-forward, MiB/s", &Subject::ForwardFlood},
  };
  if (plan.trees.empty()) return all;
  all.push_back({"memory of an open exec, KiB", &Subject::KibPerExec});
  all.push_back({"memory of an open port-forward, KiB", &Subject::KibPerForward});
  return all;
}

int Run(const Plan& plan) {
  std::vector<std::unique_ptr<Subject>> subjects;
  for (size_t i = 0; i < plan.sockets.size(); ++i) {
    const int tree = plan.trees.empty() ? 0 : plan.trees[i];
    subjects.push_back(std::make_unique<Subject>(plan.sockets[i], tree));
    const absl::Status begun = subjects.back()->Begin(plan.image);
    if (begun.ok()) continue;
    return fprintf(stderr, "%s: %s\n", plan.sockets[i].c_str(), begun.ToString().c_str()), 1;
  }
  absl::SleepFor(absl::Seconds(1));  // until the containers listen
  for (const Measure& measure : Measures(plan)) {
    std::vector<std::vector<double>> values(subjects.size());
    for (int round = 0; round < plan.rounds; ++round) {
      for (size_t i = 0; i < subjects.size(); ++i) {
        values[i].push_back(measure.take(*subjects[i]));
      }
    }
    printf("%-36s", measure.name);
    for (const std::vector<double>& of_one : values) {
      const auto [low, high] = std::minmax_element(of_one.begin(), of_one.end());
      printf(" %9.1f [%.1f-%.1f]", Median(of_one), *low, *high);
    }
    if (values.size() == 2) printf("   ratio %.2f", Median(values[0]) / Median(values[1]));
    printf("\n");
    fflush(stdout);
  }
  return 0;
}

int Main(int argc, char** argv) {
  Plan plan;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--socket") plan.sockets.push_back(argv[i + 1]);
    if (option == "--tree") plan.trees.push_back(atoi(argv[i + 1]));
    if (option == "--image") plan.image = argv[i + 1];
    if (option == "--rounds") plan.rounds = atoi(argv[i + 1]);
    if (option == "--runs") plan.runs = atoi(argv[i + 1]);
  }
  const bool trees = plan.trees.empty() || plan.trees.size() == plan.sockets.size();
  if (!plan.sockets.empty() && !plan.image.empty() && trees && plan.rounds > 0 && plan.runs > 0) {
    return Run(plan);
  }
  fprintf(stderr,
          "usage: %s --socket PATH [--tree PID] [--socket PATH [--tree PID]]... --image REFERENCE\n"
          "       [--rounds N] [--runs N]\n",
          argv[0]);
  return 2;
}

}  // namespace
}  // namespace bulkhead::test

int main(int argc, char** argv) { return bulkhead::test::Main(argc, argv); }
