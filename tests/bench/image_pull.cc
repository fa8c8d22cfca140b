// How long pulling an image, unpacking included, and removing it take, and how much memory it takes
// at most: several runtimes in turn, in one run, so that they can be compared. Prints a line of
// JSON for each pull, then the medians.
//
//   image_pull --endpoint NAME=SOCKET,PID ... --image REFERENCE ... [--rounds N]
//
// PID: the process whose memory counts, with all its descendants; summed as PSS, sampled every 20
// ms.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tools/client/cri.h"

namespace bulkhead::bench {
namespace {

namespace cri = ::runtime::v1;
using ImageStub = tools::CriClient::Image;
constexpr absl::Duration kPatience = absl::Minutes(10);

struct Endpoint {
  std::string name;
  std::string socket;
  pid_t pid = 0;
};

struct Sample {
  double pull_ms, remove_ms, sync_ms;
  uint64_t peak_kib;
};

std::set<pid_t> WithDescendants(pid_t top) {
  std::multimap<pid_t, pid_t> children;
  DIR* proc = opendir("/proc");
  while (const dirent* entry = readdir(proc)) {
    pid_t pid = 0, parent = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
    std::string text(std::istreambuf_iterator<char>(stat), {});
    const size_t end = text.rfind(')');
    if (end == std::string::npos) continue;
    std::vector<std::string> fields = absl::StrSplit(text.substr(end + 2), ' ');
    if (fields.size() > 1 && absl::SimpleAtoi(fields[1], &parent)) children.emplace(parent, pid);
  }
  closedir(proc);
  std::set<pid_t> all = {top};
  std::vector<pid_t> todo = {top};
  while (!todo.empty()) {
    auto [first, last] = children.equal_range(todo.back());
    todo.pop_back();
    for (; first != last; ++first) {
      if (all.insert(first->second).second) todo.push_back(first->second);
    }
  }
  return all;
}

uint64_t PssKib(pid_t pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/smaps_rollup"));
  std::string word;
  while (in >> word) {
    uint64_t kib = 0;
    if (word == "Pss:" && in >> kib) return kib;
  }
  return 0;
}

// The most memory that a tree of processes has had since the start of the object.
class PeakMemory {
 public:
  explicit PeakMemory(pid_t pid) : pid_(pid), thread_([this] { Watch(); }) {}
  uint64_t Stop() {
    stop_ = true;
    thread_.join();
    return peak_;
  }

 private:
  void Watch() {
    while (!stop_ && pid_ > 0) {
      uint64_t sum = 0;
      for (pid_t pid : WithDescendants(pid_)) sum += PssKib(pid);
      peak_ = std::max(peak_, sum);
      usleep(20000);
    }
  }
  pid_t pid_;
  uint64_t peak_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

[[noreturn]] void Fail(const std::string& what) {
  fprintf(stderr, "image_pull: %s\n", what.c_str());
  exit(1);
}

double Since(absl::Time begin) { return absl::ToDoubleMilliseconds(absl::Now() - begin); }

double Remove(tools::CriClient& client, const std::string& image) {
  cri::ImageStatusRequest status;
  status.mutable_image()->set_image(image);
  auto found = client.Call(&ImageStub::ImageStatus, status, kPatience);
  if (!found.ok()) Fail(found.status().ToString());
  if (!found->has_image()) return 0;
  cri::RemoveImageRequest request;
  request.mutable_image()->set_image(found->image().id());
  const absl::Time begin = absl::Now();
  auto removed = client.Call(&ImageStub::RemoveImage, request, kPatience);
  if (!removed.ok()) Fail(removed.status().ToString());
  return Since(begin);
}

Sample PullOnce(const Endpoint& endpoint, const std::string& image) {
  tools::CriClient client(endpoint.socket);
  Remove(client, image);
  sync();
  sleep(1);
  cri::PullImageRequest request;
  request.mutable_image()->set_image(image);
  PeakMemory memory(endpoint.pid);
  absl::Time begin = absl::Now();
  auto pulled = client.Call(&ImageStub::PullImage, request, kPatience);
  Sample sample = {.pull_ms = Since(begin)};
  sample.peak_kib = memory.Stop();
  if (!pulled.ok()) Fail(absl::StrCat(endpoint.name, ": ", pulled.status().ToString()));
  begin = absl::Now();
  sync();
  sample.sync_ms = Since(begin);
  sample.remove_ms = Remove(client, image);
  printf(
      R"({"runtime": "%s", "image": "%s", "pull_ms": %.0f, "sync_after_ms": %.0f, "remove_ms": %.1f, )"
      R"("peak_pss_mib": %.1f})"
      "\n",
      endpoint.name.c_str(), image.c_str(), sample.pull_ms, sample.sync_ms, sample.remove_ms,
      sample.peak_kib / 1024.0);
  fflush(stdout);
  return sample;
}

template <typename F>
double Median(const std::vector<Sample>& samples, F value) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(value(sample));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Run(const std::vector<Endpoint>& endpoints, const std::vector<std::string>& images,
         int rounds) {
  std::map<std::pair<std::string, std::string>, std::vector<Sample>> all;
  for (int round = 0; round < rounds; ++round) {
    for (const std::string& image : images) {
      for (const Endpoint& endpoint : endpoints) {
        all[{image, endpoint.name}].push_back(PullOnce(endpoint, image));
      }
    }
  }
  printf("%-40s %-16s %9s %9s %9s %9s\n", "image (medians)", "runtime", "pull ms", "sync ms",
         "remove ms", "peak MiB");
  for (const auto& [key, samples] : all) {
    printf("%-40s %-16s %9.0f %9.0f %9.1f %9.1f\n", key.first.c_str(), key.second.c_str(),
           Median(samples, [](const Sample& s) { return s.pull_ms; }),
           Median(samples, [](const Sample& s) { return s.sync_ms; }),
           Median(samples, [](const Sample& s) { return s.remove_ms; }),
           Median(samples, [](const Sample& s) { return s.peak_kib / 1024.0; }));
  }
}

int Main(int argc, char** argv) {
  std::vector<Endpoint> endpoints;
  std::vector<std::string> images;
  int rounds = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i], value = argv[i + 1];
    if (option == "--endpoint") {
      std::vector<std::string> parts = absl::StrSplit(value, absl::ByAnyChar("=,"));
      Endpoint endpoint;
      if (parts.size() != 3 || !absl::SimpleAtoi(parts[2], &endpoint.pid)) Fail("NAME=SOCKET,PID");
      endpoint.name = parts[0];
      endpoint.socket = parts[1];
      endpoints.push_back(endpoint);
    } else if (option == "--image") {
      images.push_back(value);
    } else if (option != "--rounds" || !absl::SimpleAtoi(value, &rounds)) {
      Fail("unknown option " + option);
    }
  }
  if (endpoints.empty() || images.empty()) Fail("needs --endpoint and --image");
  Run(endpoints, images, rounds);
  return 0;
}

}  // namespace
}  // namespace bulkhead::bench

int main(int argc, char** argv) { return bulkhead::bench::Main(argc, argv); }
