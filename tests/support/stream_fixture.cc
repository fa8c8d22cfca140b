#include "tests/support/stream_fixture.h"

#include <dirent.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/support/proc.h"
#include "tools/client/admin.h"

namespace bulkhead::test {
namespace {

constexpr absl::Duration kBaseline = absl::Seconds(10);
constexpr uint64_t kKeptKib = 8 << 10;

size_t CountFds(pid_t pid) {
  size_t count = 0;
  if (DIR* directory = opendir(absl::StrCat("/proc/", pid, "/fd").c_str())) {
    while (const dirent* entry = readdir(directory)) count += entry->d_name[0] != '.';
    closedir(directory);
  }
  return count;
}

uint64_t Pss(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/smaps_rollup"));
  uint64_t kib = 0;
  for (std::string word; file >> word;) {
    if (word == "Pss:" && file >> kib) break;
  }
  return kib;
}

}  // namespace

std::string StreamTest::StartContainer(std::vector<std::string> command, bool in, bool tty,
                                       bool once) {
  auto pod = RunPod(PodRequest("streams"));
  EXPECT_THAT(pod.status(), IsOk());
  pod_ = *pod;
  auto request = ContainerRequest(*pod, "main", std::move(command));
  request.mutable_config()->set_stdin(in);
  request.mutable_config()->set_tty(tty);
  request.mutable_config()->set_stdin_once(once);
  auto container = Create(request);
  EXPECT_THAT(container.status(), IsOk());
  EXPECT_THAT(Start(*container), IsOk());
  return *container;
}

absl::StatusOr<std::string> StreamTest::ExecUrl(const std::string& container,
                                                std::vector<std::string> argv, bool in, bool tty) {
  cri::ExecRequest request;
  request.set_container_id(container);
  for (const std::string& word : argv) request.add_cmd(word);
  request.set_stdin(in);
  request.set_tty(tty);
  request.set_stdout(true);
  request.set_stderr(!tty);
  auto answer = cri().Call(&tools::CriClient::Runtime::Exec, request, kPatience);
  if (!answer.ok()) return answer.status();
  return answer->url();
}
absl::StatusOr<std::string> StreamTest::AttachUrl(const std::string& container, bool in, bool tty) {
  cri::AttachRequest request;
  request.set_container_id(container);
  request.set_stdin(in);
  request.set_tty(tty);
  request.set_stdout(true);
  request.set_stderr(!tty);
  auto answer = cri().Call(&tools::CriClient::Runtime::Attach, request, kPatience);
  if (!answer.ok()) return answer.status();
  return answer->url();
}
absl::StatusOr<std::string> StreamTest::ForwardUrl(std::vector<int> ports) {
  cri::PortForwardRequest request;
  request.set_pod_sandbox_id(pod_);
  for (int port : ports) request.add_port(port);
  auto answer = cri().Call(&tools::CriClient::Runtime::PortForward, request, kPatience);
  if (!answer.ok()) return answer.status();
  return answer->url();
}

std::unique_ptr<SpdyClient> StreamTest::OpenCommand(const absl::StatusOr<std::string>& url, bool in,
                                                    bool tty, const std::string& protocol) {
  EXPECT_THAT(url.status(), IsOk());
  auto client = std::make_unique<SpdyClient>(url.ok() ? *url : "");
  EXPECT_TRUE(client->Upgrade(protocol));
  client->Open(kError, {{"streamtype", "error"}});
  client->Open(kOut, {{"streamtype", "stdout"}});
  if (!tty) client->Open(kErr, {{"streamtype", "stderr"}});
  if (in) client->Open(kIn, {{"streamtype", "stdin"}});
  if (tty) client->Open(kResize, {{"streamtype", "resize"}});
  return client;
}

// Spare workers come back by themselves, each with a descriptor in the broker: they do not
// count.
Footprint StreamTest::TakeFootprint() {
  const absl::StatusOr<tools::AdminCounts> counts = tools::AdminStatus(node().admin_socket());
  EXPECT_THAT(counts.status(), IsOk());
  std::multiset<std::string> spares;
  if (counts.ok()) {
    for (const std::string& kind : counts->spares) spares.insert(absl::StrCat("bh-", kind));
  }
  Footprint all;
  all.fds -= spares.size();
  for (const ProcessInfo& info : Descendants(getpid())) {
    if (info.state == 'Z') continue;
    if (auto spare = spares.find(info.name); spare != spares.end()) {
      spares.erase(spare);
      continue;
    }
    ++all.processes;
    all.fds += CountFds(info.pid);
    all.kib += Pss(info.pid);
  }
  return all;
}

bool StreamTest::Settles(const Footprint& before) {
  return Eventually(kBaseline, [&] {
    const Footprint now = TakeFootprint();
    return now.processes <= before.processes && now.fds <= before.fds &&
           now.kib <= before.kib + kKeptKib;
  });
}

void StreamTest::ExpectServes(const std::string& container) {
  auto client = OpenCommand(ExecUrl(container, {"/bin/echo", "served"}));
  EXPECT_TRUE(client->AwaitClose());
  EXPECT_EQ(client->data(kOut), "served\n");
}

std::ostream& operator<<(std::ostream& out, const Footprint& footprint) {
  return out << footprint.processes << " processes, " << footprint.fds << " descriptors, "
             << footprint.kib << " KiB";
}

}  // namespace bulkhead::test
