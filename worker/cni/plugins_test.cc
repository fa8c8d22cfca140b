// Debian's plugins, run by the network worker's code for the cni worker's code, between network
// namespaces that the sandbox worker's code makes. The test process's own network namespace plays
// the node's.
#include <arpa/inet.h>
#include <capnp/message.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "worker/cni/job.h"
#include "worker/network/job.h"
#include "worker/sandbox/job.h"

namespace bulkhead::cni {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using Operation = schema::CniJob::Operation;

constexpr char kPlugins[] = "/usr/lib/cni";
constexpr uint16_t kPodPort = 8080;
constexpr uint16_t kHostPort = 18080;

struct Pod {
  std::string id = base::NewId();
  std::vector<std::string> ips;
  std::string record;
  bool host_port = false;
};

// Whether body, run in a child in this network namespace, was successful.
bool InNamespace(const std::string& pin, const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    base::UniqueFd ns(open(pin.c_str(), O_RDONLY | O_CLOEXEC));
    alarm(20);
    _exit(ns && setns(ns.get(), CLONE_NEWNET) == 0 && body() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0;
}

sockaddr_in Address(const std::string& ip, uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

// One answered echo request.
bool Ping(const std::string& ip) {
  base::UniqueFd fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  icmphdr request = {};
  request.type = ICMP_ECHO;
  request.un.echo.id = htons(7);
  request.checksum = static_cast<uint16_t>(~(ICMP_ECHO + htons(7)));
  const sockaddr_in to = Address(ip, 0);
  if (sendto(fd.get(), &request, sizeof(request), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof(to)) != sizeof(request)) {
    return false;
  }
  for (;;) {
    char packet[512];
    const ssize_t got = recv(fd.get(), packet, sizeof(packet), 0);
    if (got < 28) return false;
    if (static_cast<uint8_t>(packet[20]) == ICMP_ECHOREPLY) return true;
  }
}

// What is said at once by who listens there.
std::string Fetch(const std::string& ip, uint16_t port) {
  for (int i = 0; i < 100; ++i) {
    base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience = {3, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const sockaddr_in to = Address(ip, port);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0) {
      char text[64];
      const ssize_t got = read(fd.get(), text, sizeof(text));
      return std::string(text, got > 0 ? static_cast<size_t>(got) : 0);
    }
    if (errno != ECONNREFUSED) return absl::StrCat("connect: ", strerror(errno));
    absl::SleepFor(absl::Milliseconds(20));
  }
  return "refused";
}

class PluginsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "plugins need root";
    if (!fs::exists(absl::StrCat(kPlugins, "/bridge")))
      GTEST_SKIP() << "no plugins in " << kPlugins;
    ASSERT_EQ(unshare(CLONE_NEWNS | CLONE_NEWNET), 0) << strerror(errno);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("run", "/run", "tmpfs", 0, nullptr), 0);  // iptables' lock
    char name[] = "/tmp/bulkhead-plugins-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    for (const char* sub : {"bin", "conf", "leases", "run"}) fs::create_directory(dir_ / sub);
    ASSERT_EQ(mount("run", (dir_ / "run").c_str(), "tmpfs", 0, nullptr), 0);
    run_ = base::UniqueFd(open((dir_ / "run").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    LoopbackUp();
  }
  void TearDown() override {
    if (dir_.empty()) return;
    run_.Reset();
    umount2((dir_ / "run").c_str(), MNT_DETACH);
    fs::remove_all(dir_);
  }

  static void LoopbackUp() {
    base::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request = {};
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    ASSERT_EQ(ioctl(fd.get(), SIOCSIFFLAGS, &request), 0);
  }

  // A bridge with addresses from 10.66.0.0/24, then these plugins.
  void WriteConfig(const std::string& more, const std::string& bridge = "",
                   const char* version = "1.0.0") {
    std::ofstream(dir_ / "conf" / "10-test.conflist")
        << R"({"cniVersion":")" << version << R"(","name":"test","plugins":[{"type":"bridge",)"
        << R"("bridge":"cni0","isGateway":true)" << bridge << R"(,"ipam":{"type":"host-local",)"
        << R"("dataDir":")" << (dir_ / "leases").string()
        << R"(","ranges":[[{"subnet":"10.66.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}})" << more
        << "]}";
  }
  void AddPlugin(const std::string& name, const std::string& script) {
    std::ofstream(dir_ / "bin" / name) << "#!/bin/sh\n" << script;
    fs::permissions(dir_ / "bin" / name, fs::perms(0755));
  }

  std::string Pin(const Pod& pod) const { return dir_ / "run/pods" / pod.id / "net"; }
  // In a child, as the sandbox worker moves into the namespaces that it makes.
  void Sandbox(const Pod& pod, bool make) {
    const pid_t child = fork();
    if (child == 0) {
      capnp::MallocMessageBuilder message;
      auto job = message.initRoot<schema::SandboxJob>();
      job.setPodId(pod.id);
      job.setRemove();
      if (make) job.initMake().setNewNetwork(true);
      _exit(sandbox::RunSandboxJob(job.asReader(), run_.get()).ok() ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
  }

  void FillNetworkJob(const Pod& pod, bool netns_gone, schema::NetworkJob::Builder job) {
    job.setPodId(pod.id);
    job.setPodName("web-0");
    job.setPodNamespace("default");
    job.setPodUid("uid");
    job.setInterface("eth0");
    auto dirs = job.initBinDirs(2);
    dirs.set(0, kPlugins);
    dirs.set(1, (dir_ / "bin").string());
    job.setPluginTimeoutMs(timeout_ms_);
    job.setNetnsGone(netns_gone);
  }
  // The configuration files as the network worker opens them.
  std::vector<base::UniqueFd> OpenConfig(schema::CniJob::Builder job) {
    capnp::MallocMessageBuilder in, out;
    auto network = in.initRoot<schema::NetworkJob>();
    network.setConfDir((dir_ / "conf").string());
    auto result = out.initRoot<schema::NetworkResult>();
    auto fds = network::RunNetworkJob(network.asReader(), {}, run_.get(), result);
    job.setFileNames(result.asReader().getFileNames());
    return fds;
  }

  absl::Status Cni(Operation operation, Pod& pod, bool netns_gone = false) {
    auto pair = base::MakeSocketPair(SOCK_STREAM);
    if (!pair.ok()) return pair.status();
    std::vector<base::UniqueFd> network_fds;
    network_fds.push_back(std::move(pair->second));
    absl::Status acted;
    std::thread network([&] {
      capnp::MallocMessageBuilder in, out;
      FillNetworkJob(pod, netns_gone, in.initRoot<schema::NetworkJob>());
      auto result = out.initRoot<schema::NetworkResult>();
      network::RunNetworkJob(in.getRoot<schema::NetworkJob>().asReader(), std::move(network_fds),
                             run_.get(), result);
      acted = ipc::ReadStatus(result.asReader().getStatus());
    });
    const absl::Status thought = Think(operation, pod, std::move(pair->first));
    network.join();
    EXPECT_TRUE(acted.ok()) << acted;
    return thought;
  }
  absl::Status Think(Operation operation, Pod& pod, base::UniqueFd socket) {
    capnp::MallocMessageBuilder in, out;
    auto job = in.initRoot<schema::CniJob>();
    job.setOperation(operation);
    job.setPodId(pod.id);
    std::vector<base::UniqueFd> fds;
    if (operation == Operation::ADD) fds = OpenConfig(job);
    if (operation == Operation::DEL) job.setRecord(kj::StringPtr(pod.record.c_str()).asBytes());
    if (pod.host_port) {
      auto mapping = job.initPortMappings(1)[0];
      mapping.setHostPort(kHostPort);
      mapping.setContainerPort(kPodPort);
    }
    fds.insert(fds.begin(), std::move(socket));
    RunCniJob(job.asReader(), std::move(fds), out.initRoot<schema::CniResult>());
    auto result = out.getRoot<schema::CniResult>().asReader();
    if (operation == Operation::ADD) {
      pod.ips.clear();
      for (auto ip : result.getIps()) pod.ips.emplace_back(ip.cStr());
      pod.record.assign(result.getRecord().asChars().begin(), result.getRecord().size());
    }
    return ipc::ReadStatus(result.getStatus());
  }

  // Addresses that host-local has given out.
  std::set<std::string> Leases() const {
    std::set<std::string> leases;
    if (!fs::exists(dir_ / "leases" / "test")) return leases;
    for (const auto& entry : fs::directory_iterator(dir_ / "leases" / "test")) {
      const std::string name = entry.path().filename();
      if (absl::StartsWith(name, "10.")) leases.insert(name);
    }
    return leases;
  }
  // The node's ends of pods' links.
  static int Veths() {
    int count = 0;
    if (struct if_nameindex* all = if_nameindex()) {
      for (auto* i = all; i->if_name != nullptr; ++i) count += absl::StartsWith(i->if_name, "veth");
      if_freenameindex(all);
    }
    return count;
  }
  // A process in the pod that says hello to one connection. The caller kills and reaps it.
  pid_t Listen(const Pod& pod) {
    const pid_t child = fork();
    if (child != 0) return child;
    alarm(60);
    base::UniqueFd ns(open(Pin(pod).c_str(), O_RDONLY | O_CLOEXEC));
    if (setns(ns.get(), CLONE_NEWNET) != 0) _exit(1);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in any = Address("0.0.0.0", kPodPort);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0) _exit(1);
    listen(listener, 4);
    for (;;) {
      base::UniqueFd connection(accept(listener, nullptr, nullptr));
      [[maybe_unused]] const ssize_t put = write(connection.get(), "hello", 5);
    }
  }
  static void End(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  // Expects an ADD to fail with a message that has this in it, and to leave nothing.
  absl::Status ExpectFailedAdd(const std::string& message) {
    Pod pod;
    Sandbox(pod, true);
    const absl::Status status = Cni(Operation::ADD, pod);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(Leases(), IsEmpty());
    EXPECT_EQ(Veths(), 0);
    EXPECT_EQ(pod.record, "");
    EXPECT_THAT(pod.ips, IsEmpty());
    Sandbox(pod, false);
    return status;
  }

  fs::path dir_;
  base::UniqueFd run_;
  uint32_t timeout_ms_ = 30000;
};

TEST_F(PluginsTest, ConnectsTwoPods) {
  WriteConfig("", R"(,"ipMasq":true)");
  Pod a, b;
  for (Pod* pod : {&a, &b}) {
    Sandbox(*pod, true);
    const absl::Status added = Cni(Operation::ADD, *pod);
    ASSERT_TRUE(added.ok()) << added;
    ASSERT_EQ(pod->ips.size(), 1u);
    EXPECT_THAT(pod->ips[0], StartsWith("10.66.0."));
  }
  EXPECT_NE(a.ips[0], b.ips[0]);
  EXPECT_THAT(Leases(), ElementsAre(a.ips[0], b.ips[0]));
  EXPECT_TRUE(InNamespace(Pin(a), [&] { return Ping(b.ips[0]); }));
  EXPECT_TRUE(InNamespace(Pin(b), [&] { return Ping(a.ips[0]); }));
  const pid_t listener = Listen(a);
  EXPECT_TRUE(InNamespace(Pin(b), [&] { return Fetch(a.ips[0], kPodPort) == "hello"; }));
  EXPECT_EQ(Fetch(a.ips[0], kPodPort), "hello") << "from the node";
  End(listener);

  const absl::Status deleted = Cni(Operation::DEL, a);
  EXPECT_TRUE(deleted.ok()) << deleted;
  EXPECT_THAT(Leases(), ElementsAre(b.ips[0]));
  EXPECT_FALSE(InNamespace(Pin(b), [&] { return Fetch(a.ips[0], kPodPort) == "hello"; }));
  EXPECT_TRUE(Cni(Operation::DEL, a).ok()) << "again";
  EXPECT_TRUE(Cni(Operation::DEL, b).ok());
  EXPECT_THAT(Leases(), IsEmpty());
  EXPECT_EQ(Veths(), 0);
}

TEST_F(PluginsTest, DeletesWhenConfigurationAndNamespaceAreGone) {
  WriteConfig("");
  Pod a, b;
  for (Pod* pod : {&a, &b}) {
    Sandbox(*pod, true);
    ASSERT_TRUE(Cni(Operation::ADD, *pod).ok());
  }
  fs::remove(dir_ / "conf" / "10-test.conflist");
  Sandbox(a, false);
  EXPECT_TRUE(Cni(Operation::DEL, a).ok());
  EXPECT_THAT(Leases(), ElementsAre(b.ips[0]));
  EXPECT_TRUE(Cni(Operation::DEL, b, /*netns_gone=*/true).ok());
  EXPECT_THAT(Leases(), IsEmpty());
}

TEST_F(PluginsTest, MapsAPort) {
  WriteConfig(R"(,{"type":"portmap","capabilities":{"portMappings":true},"snat":true})");
  Pod pod;
  pod.host_port = true;
  Sandbox(pod, true);
  const absl::Status added = Cni(Operation::ADD, pod);
  if (!added.ok() && absl::StrContains(added.message(), "iptables")) GTEST_SKIP() << added;
  ASSERT_TRUE(added.ok()) << added;
  const pid_t listener = Listen(pod);
  EXPECT_EQ(Fetch("10.66.0.1", kHostPort), "hello");
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
  EXPECT_NE(Fetch("10.66.0.1", kHostPort), "hello");
  End(listener);
}

TEST_F(PluginsTest, SpeaksOlderVersions) {
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0"}) {
    WriteConfig(R"(,{"type":"portmap","capabilities":{"portMappings":true}})", "", version);
    Pod pod;
    Sandbox(pod, true);
    const absl::Status added = Cni(Operation::ADD, pod);
    EXPECT_TRUE(added.ok()) << version << added;
    EXPECT_EQ(pod.ips.size(), 1u);
    EXPECT_TRUE(Cni(Operation::DEL, pod).ok()) << version;
    EXPECT_THAT(Leases(), IsEmpty()) << version;
  }
}

TEST_F(PluginsTest, TellsWhatAPluginDoesNotKnow) {
  // Debian 12's plugins are older than this version.
  WriteConfig("", "", "1.1.0");
  Pod pod;
  Sandbox(pod, true);
  const absl::Status status = Cni(Operation::ADD, pod);
  if (status.ok()) GTEST_SKIP() << "newer plugins are installed";
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(StartsWith("network test: bridge ADD: "), HasSubstr("incompatible")));
}

TEST_F(PluginsTest, UndoesWhatABadPluginBreaksOff) {
  // Each does nothing on DEL.
  const std::string add_only = "[ $CNI_COMMAND = ADD ] || exit 0\n";
  AddPlugin("silent", add_only + "exit 0");
  AddPlugin("garbage", add_only + "echo '<html>\x1b[31m'; exit 0");
  AddPlugin("garbage-failure", add_only + "echo panic; exit 2");
  AddPlugin("failure",
            add_only + R"(echo '{"cniVersion":"1.0.0","code":11,"msg":"busy"}'; exit 1)");
  AddPlugin("flood", add_only + "exec head -c 1073741824 /dev/zero");
  AddPlugin("liar",
            add_only + R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"127.0.0.1/8"}]}')");
  for (const char* name : {"silent", "garbage", "garbage-failure", "liar"}) {
    WriteConfig(absl::StrCat(R"(,{"type":")", name, "\"}"));
    EXPECT_TRUE(absl::IsInternal(ExpectFailedAdd(absl::StrCat(name, " ADD: "))));
  }
  WriteConfig(R"(,{"type":"failure"})");
  EXPECT_TRUE(absl::IsUnavailable(ExpectFailedAdd("failure ADD: busy (code 11)")));
  WriteConfig(R"(,{"type":"flood"})");
  EXPECT_TRUE(absl::IsResourceExhausted(ExpectFailedAdd("flood ADD: ")));
}

TEST_F(PluginsTest, UndoesWhatAHangingPluginBreaksOff) {
  AddPlugin("hang", "[ $CNI_COMMAND = ADD ] || exit 0\nsetsid sleep 1000 & sleep 1000");
  WriteConfig(R"(,{"type":"hang"})");
  timeout_ms_ = 3000;
  const absl::Time before = absl::Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(ExpectFailedAdd("hang ADD: ")));
  EXPECT_LT(absl::Now() - before, absl::Seconds(30));
}

TEST_F(PluginsTest, OwesADeleteThatFails) {
  AddPlugin("stubborn", "echo '{\"code\":100,\"msg\":\"never\"}'; exit 1");
  WriteConfig(R"(,{"type":"stubborn"})");
  Pod pod;
  Sandbox(pod, true);
  EXPECT_FALSE(Cni(Operation::ADD, pod).ok());
  EXPECT_THAT(Leases(), IsEmpty()) << "the bridge's own DEL went well";
  EXPECT_NE(pod.record, "");
  EXPECT_FALSE(Cni(Operation::DEL, pod).ok());
  AddPlugin("stubborn", "exit 0");
  EXPECT_TRUE(Cni(Operation::DEL, pod).ok());
}

TEST_F(PluginsTest, NamesAMissingPlugin) {
  WriteConfig(R"(,{"type":"no-such-plugin"})");
  Pod pod;
  Sandbox(pod, true);
  const absl::Status status = Cni(Operation::ADD, pod);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no-such-plugin"));
  EXPECT_EQ(pod.record, "");
  EXPECT_THAT(Leases(), IsEmpty());
  EXPECT_EQ(Veths(), 0);
}

TEST_F(PluginsTest, NeedsAConfiguration) {
  Pod pod;
  Sandbox(pod, true);
  EXPECT_TRUE(absl::IsFailedPrecondition(Cni(Operation::ADD, pod)));
}

TEST_F(PluginsTest, LoopbackGivesNoAddressOfAPod) {
  std::ofstream(dir_ / "conf" / "10-lo.conf")
      << R"({"cniVersion":"1.0.0","name":"lo","type":"loopback"})";
  Pod pod;
  Sandbox(pod, true);
  const absl::Status status = Cni(Operation::ADD, pod);
  EXPECT_TRUE(absl::IsInternal(status)) << status;
}

}  // namespace
}  // namespace bulkhead::cni
