#pragma once

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
#include "security/policy/pod_policy_codec.h"
#include "worker/cni/job.h"
#include "worker/network/job.h"
#include "worker/sandbox/job.h"

namespace bulkhead::cni {

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
  std::string configuration, result;
  int attempted = 0;
  bool host_port = false;
  uint64_t egress = 0;
  std::string wanted_ip, mac;
  std::vector<std::string> ranges;
};

// Whether body, run in a child in this network namespace, was successful.
inline bool InNamespace(const std::string& pin, const std::function<bool()>& body) {
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

inline sockaddr_in Address(const std::string& ip, uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

inline bool Command(const std::string& shell) { return system(shell.c_str()) == 0; }

// One answered echo request.
inline bool Ping(const std::string& ip) {
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
inline std::string Fetch(const std::string& ip, uint16_t port) {
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
    WritePolicy();
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
  void WriteList(const std::string& plugins) {
    std::ofstream(dir_ / "conf" / "10-test.conflist")
        << R"({"cniVersion":"1.0.0","name":"test","plugins":[)" << plugins << "]}";
  }
  std::string Ipam(const std::string& subnet) const {
    return absl::StrCat(R"("ipam":{"type":"host-local","dataDir":")", (dir_ / "leases").string(),
                        R"(","ranges":[[{"subnet":")", subnet,
                        R"("}]],"routes":[{"dst":"0.0.0.0/0"}]})");
  }
  // It tells its versions, whatever else script does.
  void AddPlugin(const std::string& name, const std::string& script) {
    std::ofstream(dir_ / "bin" / name)
        << "#!/bin/sh\n"
        << R"([ $CNI_COMMAND != VERSION ] || exec echo '{"supportedVersions":["1.0.0"]}')" << "\n"
        << script;
    fs::permissions(dir_ / "bin" / name, fs::perms(0755));
  }

  std::string Pin(const Pod& pod) const { return dir_ / "run/pods" / pod.id / "net"; }
  // In a child, as the sandbox worker moves into the namespaces that it makes.
  // As `bulkhead up` does.
  void WritePolicy() {
    const security::PodPolicies policies = {.node = *security::PodProfile(security::kCompatible)};
    std::ofstream(dir_ / "run" / security::kPodPolicyFile) << *EncodePodPolicies(policies);
    fs::permissions(dir_ / "run" / security::kPodPolicyFile, fs::perms(0600));
  }

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

  // Add loads the configuration first.
  absl::Status Cni(Operation operation, Pod& pod, bool netns_gone = false) {
    if (operation != Operation::ADD) return Run(operation, pod, netns_gone);
    const absl::Status loaded = Run(Operation::LOAD, pod, netns_gone);
    return loaded.ok() ? Run(Operation::ADD, pod, netns_gone) : loaded;
  }
  absl::Status Run(Operation operation, Pod& pod, bool netns_gone) {
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
    std::vector<base::UniqueFd> fds;
    if (operation == Operation::LOAD) fds = OpenConfig(job);
    FillAttachment(pod, job.initAttachment());
    fds.insert(fds.begin(), std::move(socket));
    RunCniJob(job.asReader(), std::move(fds), out.initRoot<schema::CniResult>());
    auto result = out.getRoot<schema::CniResult>().asReader();
    if (operation == Operation::LOAD) pod.configuration = Text(result.getConfiguration());
    if (operation == Operation::ADD) {
      pod.ips.clear();
      for (auto ip : result.getIps()) pod.ips.emplace_back(ip.cStr());
      pod.result = Text(result.getResult());
      pod.attempted = result.getAttempted();
    }
    return ipc::ReadStatus(result.getStatus());
  }
  static void FillAttachment(const Pod& pod, schema::NetworkAttachment::Builder attachment) {
    attachment.setConfiguration(kj::StringPtr(pod.configuration.c_str()).asBytes());
    attachment.setResult(kj::StringPtr(pod.result.c_str()).asBytes());
    attachment.setAttempted(static_cast<uint16_t>(pod.attempted));
    auto capabilities = attachment.initCapabilities();
    if (pod.host_port) {
      auto mapping = capabilities.initPortMappings(1)[0];
      mapping.setHostPort(kHostPort);
      mapping.setContainerPort(kPodPort);
    }
    capabilities.setEgressBitsPerSecond(pod.egress);
    if (!pod.wanted_ip.empty()) capabilities.initIps(1).set(0, pod.wanted_ip);
    capabilities.setMac(pod.mac);
    auto ranges = capabilities.initIpRanges(static_cast<unsigned>(pod.ranges.size()));
    for (unsigned i = 0; i < ranges.size(); ++i) ranges.set(i, pod.ranges[i]);
  }
  static std::string Text(capnp::Data::Reader data) {
    return std::string(data.asChars().begin(), data.size());
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
    EXPECT_EQ(pod.attempted, 0);
    EXPECT_THAT(pod.ips, IsEmpty());
    Sandbox(pod, false);
    return status;
  }

  fs::path dir_;
  base::UniqueFd run_;
  uint32_t timeout_ms_ = 30000;
};

}  // namespace bulkhead::cni
