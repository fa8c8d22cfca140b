// Measures exec, attach and port-forward of any CRI runtime, as kubelet's clients use them: CRI and
// then SPDY. Prints one JSON object. The container must have sh, head and cat; for a port-forward
// something must listen that writes without end.
//
//   bench_streams --socket /run/bulkhead/cri.sock --container ID [--pod ID --port N] [--runs N]
//   [--tree PID]
//
// --tree: the process whose descendants' memory (PSS) is compared with and without open streams.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/proc.h"
#include "tests/support/stream_client.h"
#include "tools/client/cri.h"

namespace bulkhead::test {
namespace {

namespace cri = ::runtime::v1;
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kOpenStreams = 20;
constexpr size_t kMiB = 1 << 20;

struct Options {
  std::string socket, container, pod, port;
  int runs = 50;
  int tree = 0;
};

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options), client_(options.socket) {}

  void Run() {
    printf("{");
    Latency("exec_sync_ms", [this] { return ExecSync(); });
    Latency("exec_stream_ms", [this] { return ExecStream(); });
    printf("\"exec_stdout_mib_per_s\": %.0f, ", ExecThroughput(256));
    if (!options_.port.empty()) {
      Latency("forward_connection_ms", [this] { return ForwardOne(); });
      printf("\"forward_mib_per_s\": %.0f, ", ForwardThroughput(256));
    }
    if (options_.tree != 0) printf("\"kib_per_open_exec\": %.0f, ", KibPerStream());
    printf("\"runs\": %d}\n", options_.runs);
  }

 private:
  template <typename F>
  void Latency(const char* name, F once) {
    std::vector<double> ms;
    for (int i = 0; i < options_.runs; ++i) {
      const absl::Time begin = absl::Now();
      if (!once()) fprintf(stderr, "%s: a run failed\n", name);
      ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - begin));
    }
    std::sort(ms.begin(), ms.end());
    printf("\"%s\": {\"p50\": %.2f, \"p90\": %.2f}, ", name, ms[ms.size() / 2],
           ms[ms.size() * 9 / 10]);
  }

  bool ExecSync() {
    cri::ExecSyncRequest request;
    request.set_container_id(options_.container);
    request.add_cmd("true");
    request.set_timeout(20);
    return client_.Call(&tools::CriClient::Runtime::ExecSync, request, kPatience).ok();
  }

  std::string ExecUrl(const std::vector<std::string>& argv, bool in) {
    cri::ExecRequest request;
    request.set_container_id(options_.container);
    for (const std::string& word : argv) request.add_cmd(word);
    request.set_stdout(true);
    request.set_stdin(in);
    auto answer = client_.Call(&tools::CriClient::Runtime::Exec, request, kPatience);
    return answer.ok() ? answer->url() : "";
  }
  std::unique_ptr<SpdyClient> Open(const std::vector<std::string>& argv, bool in = false) {
    auto client = std::make_unique<SpdyClient>(ExecUrl(argv, in));
    client->Upgrade("v4.channel.k8s.io");
    client->Open(1, {{"streamtype", "error"}});
    client->Open(3, {{"streamtype", "stdout"}});
    if (in) client->Open(5, {{"streamtype", "stdin"}});
    return client;
  }
  bool ExecStream() {
    auto client = Open({"true"});
    return client->AwaitText(1, "Success", kPatience);
  }
  double ExecThroughput(size_t mib) {
    auto client = Open({"head", "-c", absl::StrCat(mib * kMiB), "/dev/zero"});
    return Receive(*client, 3, mib);
  }

  std::unique_ptr<SpdyClient> OpenForward() {
    cri::PortForwardRequest request;
    request.set_pod_sandbox_id(options_.pod);
    auto answer = client_.Call(&tools::CriClient::Runtime::PortForward, request, kPatience);
    auto client = std::make_unique<SpdyClient>(answer.ok() ? answer->url() : "");
    client->Upgrade("portforward.k8s.io");
    return client;
  }
  void Connect(SpdyClient& client, uint32_t id) {
    const std::string request = absl::StrCat(id);
    client.Open(id, {{"streamtype", "error"}, {"port", options_.port}, {"requestid", request}});
    client.Open(id + 2, {{"streamtype", "data"}, {"port", options_.port}, {"requestid", request}});
  }
  bool ForwardOne() {
    auto client = OpenForward();
    Connect(*client, 1);
    return client->Await(kPatience, [&] { return !client->data(3).empty(); });
  }
  double ForwardThroughput(size_t mib) {
    auto client = OpenForward();
    Connect(*client, 1);
    return Receive(*client, 3, mib);
  }

  // MiB a second, from the first byte.
  static double Receive(SpdyClient& client, uint32_t stream, size_t mib) {
    if (!client.Await(kPatience, [&] { return !client.data(stream).empty(); })) return 0;
    const absl::Time begin = absl::Now();
    client.Await(kPatience, [&] { return client.data(stream).size() >= mib * kMiB; });
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    return static_cast<double>(client.data(stream).size()) / kMiB / seconds;
  }

  double KibPerStream() {
    const uint64_t before = Pss();
    std::vector<std::unique_ptr<SpdyClient>> open;
    for (int i = 0; i < kOpenStreams; ++i) {
      open.push_back(Open({"cat"}, true));
      open.back()->Send(5, "x");
      open.back()->AwaitText(3, "x", kPatience);
    }
    absl::SleepFor(absl::Seconds(1));
    return static_cast<double>(Pss() - before) / kOpenStreams;
  }
  // KiB of the tree's processes, but for the commands themselves.
  uint64_t Pss() {
    uint64_t sum = 0;
    for (const ProcessInfo& info : Descendants(options_.tree)) {
      if (info.name == "cat") continue;
      std::ifstream file(absl::StrCat("/proc/", info.pid, "/smaps_rollup"));
      for (std::string word; file >> word;) {
        uint64_t kib = 0;
        if (word == "Pss:" && file >> kib) sum += kib;
      }
    }
    return sum;
  }

  const Options options_;
  tools::CriClient client_;
};

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const absl::string_view name = argv[i];
    const char* value = argv[i + 1];
    bool good = true;
    if (name == "--socket") options.socket = value;
    if (name == "--container") options.container = value;
    if (name == "--pod") options.pod = value;
    if (name == "--port") options.port = value;
    if (name == "--runs") good = absl::SimpleAtoi(value, &options.runs);
    if (name == "--tree") good = absl::SimpleAtoi(value, &options.tree);
    if (!good) fprintf(stderr, "%s: not a number\n", argv[i]);
  }
  if (options.socket.empty() || options.container.empty() || options.runs < 1) {
    fprintf(stderr,
            "usage: %s --socket PATH --container ID [--pod ID --port N] [--runs N] [--tree PID]\n",
            argv[0]);
    return 2;
  }
  Bench(options).Run();
  return 0;
}

}  // namespace
}  // namespace bulkhead::test

int main(int argc, char** argv) { return bulkhead::test::Main(argc, argv); }
