#include <capnp/message.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "security/policy/pod_policy_codec.h"
#include "worker/sandbox/job.h"
#include "worker/sandbox/pod_directory.h"

namespace bulkhead::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string Read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Whether body, run in a child, had no failure. Each job moves its process into other namespaces.
bool InChild(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0;
}

// A run directory, below which tests mount in a mount namespace that ends with the test process.
class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "namespaces need root";
    ASSERT_EQ(unshare(CLONE_NEWNS), 0) << strerror(errno);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    char name[] = "/tmp/bulkhead-sandbox-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    run_ = name;
    // As the run directory of a node: seen by other mount namespaces.
    ASSERT_EQ(mount("run", name, "tmpfs", 0, nullptr), 0);
    ASSERT_EQ(mount(nullptr, name, nullptr, MS_SHARED, nullptr), 0);
    run_fd_ = base::UniqueFd(open(name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    pod_ = run_ / "pods" / id_;
    Publish({.node = *security::PodProfile(security::kCompatible)});
  }
  // As `bulkhead up` does.
  void Publish(const security::PodPolicies& policies) {
    const fs::path file = run_ / security::kPodPolicyFile;
    std::ofstream(file) << *security::EncodePodPolicies(policies);
    chmod(file.c_str(), 0600);
  }
  void TearDown() override {
    if (run_.empty()) return;
    run_fd_.Reset();
    umount2(run_.c_str(), MNT_DETACH);
    fs::remove(run_);
  }

  using Fill = std::function<void(schema::SandboxJob::Make::Builder)>;
  static void Everything(schema::SandboxJob::Make::Builder make) {
    make.setNewNetwork(true);
    make.setNewIpc(true);
    make.setNewUts(true);
    make.setHostname("web-0");
    make.setShmBytes(1 << 20);
  }
  absl::Status Make(const Fill& fill) {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::SandboxJob>();
    job.setPodId(id_);
    fill(job.initMake());
    return RunSandboxJob(job.asReader(), run_fd_.get());
  }
  absl::Status Remove() {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::SandboxJob>();
    job.setPodId(id_);
    job.setRemove();
    return RunSandboxJob(job.asReader(), run_fd_.get());
  }
  // Makes in a child, as the worker does, and expects this of the status there.
  void MakeInChild(const Fill& fill, const std::function<void(absl::Status)>& check) {
    EXPECT_TRUE(InChild([&] { check(Make(fill)); }));
  }
  void MakeGood(const Fill& fill) {
    MakeInChild(fill, [](absl::Status status) { EXPECT_TRUE(status.ok()) << status; });
  }
  // Runs body inside the pod's namespaces.
  void Inside(std::initializer_list<const char*> pins, const std::function<void()>& body) {
    EXPECT_TRUE(InChild([&] {
      for (const char* pin : pins) {
        base::UniqueFd fd(open((pod_ / pin).c_str(), O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(setns(fd.get(), 0), 0) << pin << strerror(errno);
      }
      body();
    }));
  }
  int Mounts() const {
    std::ifstream info("/proc/self/mountinfo");
    std::string line;
    int count = 0;
    while (std::getline(info, line)) count += line.find(run_.string() + "/") != std::string::npos;
    return count;
  }

  const std::string id_ = base::NewId();
  fs::path run_, pod_;
  base::UniqueFd run_fd_;
};

void SetSysctls(schema::SandboxJob::Make::Builder make,
                const std::vector<std::pair<std::string, std::string>>& sysctls) {
  auto list = make.initSysctls(sysctls.size());
  for (unsigned i = 0; i < sysctls.size(); ++i) {
    list[i].setKey(sysctls[i].first);
    list[i].setValue(sysctls[i].second);
  }
}

bool LoopbackIsUp() {
  base::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  strcpy(request.ifr_name, "lo");
  return ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

TEST_F(SandboxTest, MakesAPodThatOutlivesItsMaker) {
  MakeGood([](auto make) {
    Everything(make);
    SetSysctls(make, {{"net.ipv4.ip_unprivileged_port_start", "81"},
                      {"net/ipv4/ping_group_range", "0\t7"},
                      {"kernel.msgmni", "77"},
                      {"fs.mqueue.queues_max", "3"}});
  });
  for (const char* pin : {"net", "ipc", "uts"}) {
    struct statfs where;
    ASSERT_EQ(statfs((pod_ / pin).c_str(), &where), 0);
    EXPECT_EQ(where.f_type, NSFS_MAGIC) << pin;
    struct stat pinned, own;
    ASSERT_EQ(stat((pod_ / pin).c_str(), &pinned), 0);
    ASSERT_EQ(stat(absl::StrCat("/proc/self/ns/", pin).c_str(), &own), 0);
    EXPECT_NE(pinned.st_ino, own.st_ino) << pin;
  }
  Inside({"net", "ipc", "uts"}, [] {
    EXPECT_TRUE(LoopbackIsUp());
    char name[65] = "";
    gethostname(name, sizeof(name));
    EXPECT_STREQ(name, "web-0");
    EXPECT_EQ(Read("/proc/sys/net/ipv4/ip_unprivileged_port_start"), "81\n");
    EXPECT_EQ(Read("/proc/sys/net/ipv4/ping_group_range"), "0\t7\n");
    EXPECT_EQ(Read("/proc/sys/kernel/msgmni"), "77\n");
    EXPECT_EQ(Read("/proc/sys/fs/mqueue/queues_max"), "3\n");
    if (fs::exists("/proc/sys/net/ipv6/conf/default")) {
      EXPECT_EQ(Read("/proc/sys/net/ipv6/conf/default/accept_ra"), "0\n");
    }
  });
  EXPECT_NE(Read("/proc/sys/net/ipv4/ip_unprivileged_port_start"), "81\n");
  EXPECT_NE(Read("/proc/sys/kernel/msgmni"), "77\n");
}

TEST_F(SandboxTest, AUserNamespaceOwnsTheOthers) {
  MakeGood([](auto make) {
    Everything(make);
    make.getIdMapping().setHostId(200000);
    make.getIdMapping().setLength(65536);
    SetSysctls(make, {{"net.core.somaxconn", "77"}, {"kernel.shm_rmid_forced", "1"}});
  });
  struct stat user;
  ASSERT_EQ(stat((pod_ / "user").c_str(), &user), 0);
  for (const char* pin : {"net", "ipc", "uts"}) {
    base::UniqueFd ns(open((pod_ / pin).c_str(), O_RDONLY | O_CLOEXEC));
    base::UniqueFd owner(ioctl(ns.get(), NS_GET_USERNS));
    struct stat st;
    ASSERT_EQ(fstat(owner.get(), &st), 0) << pin << strerror(errno);
    EXPECT_EQ(st.st_ino, user.st_ino) << pin;
  }
  Inside({"user", "net", "ipc", "uts"}, [] {
    std::istringstream map(Read("/proc/self/uid_map"));
    uint32_t inside, outside, length;
    ASSERT_TRUE(map >> inside >> outside >> length);
    EXPECT_EQ(inside, 0u);
    EXPECT_EQ(outside, 200000u);
    EXPECT_EQ(length, 65536u);
    EXPECT_TRUE(LoopbackIsUp());
    EXPECT_EQ(Read("/proc/sys/net/core/somaxconn"), "77\n");
    EXPECT_EQ(Read("/proc/sys/kernel/shm_rmid_forced"), "1\n");
  });
  struct stat shm;
  ASSERT_EQ(stat((pod_ / "shm").c_str(), &shm), 0);
  EXPECT_EQ(shm.st_uid, 200000u);
  EXPECT_TRUE(Remove().ok());
  EXPECT_FALSE(fs::exists(pod_));
  EXPECT_EQ(Mounts(), 0);
}

TEST_F(SandboxTest, AFailureInAUserNamespaceLeavesNothing) {
  MakeInChild(
      [](auto make) {
        Everything(make);
        make.getIdMapping().setHostId(200000);
        make.getIdMapping().setLength(65536);
        SetSysctls(make, {{"net.core.no_such_thing", "1"}});
      },
      [](absl::Status status) {
        EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
        EXPECT_THAT(std::string(status.message()), HasSubstr("net.core.no_such_thing"));
      });
  EXPECT_FALSE(fs::exists(pod_));
  EXPECT_EQ(Mounts(), 0);
}

TEST_F(SandboxTest, RefusesTheNodesRootInAPod) {
  MakeInChild(
      [](auto make) {
        Everything(make);
        make.getIdMapping().setLength(65536);
      },
      [](absl::Status status) { EXPECT_TRUE(absl::IsInvalidArgument(status)) << status; });
  EXPECT_FALSE(fs::exists(pod_));
}

TEST_F(SandboxTest, GivesShmAndFiles) {
  const mode_t before = umask(077);
  MakeGood([](auto make) {
    Everything(make);
    make.initDnsServers(1).set(0, "10.0.0.10");
  });
  umask(before);
  struct statfs shm;
  ASSERT_EQ(statfs((pod_ / "shm").c_str(), &shm), 0);
  EXPECT_EQ(shm.f_type, TMPFS_MAGIC);
  EXPECT_EQ(static_cast<uint64_t>(shm.f_blocks) * shm.f_bsize, 1u << 20);
  EXPECT_EQ(shm.f_flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC), MS_NOSUID | MS_NODEV | MS_NOEXEC);
  EXPECT_EQ(fs::status(pod_ / "shm").permissions(), fs::perms(01777));
  EXPECT_EQ(fs::status(pod_).permissions(), fs::perms(0711));
  EXPECT_EQ(fs::status(pod_ / "hostname").permissions(), fs::perms(0644));
  EXPECT_EQ(fs::status(pod_ / "resolv.conf").permissions(), fs::perms(0644));
  EXPECT_EQ(Read(pod_ / "hostname"), "web-0\n");
  EXPECT_EQ(Read(pod_ / "resolv.conf"), "nameserver 10.0.0.10\n");
}

TEST_F(SandboxTest, TakesTheNodesFilesForAPodOfTheNode) {
  MakeGood([](auto) {});
  char name[65] = "";
  gethostname(name, sizeof(name));
  EXPECT_EQ(Read(pod_ / "hostname"), absl::StrCat(name, "\n"));
  EXPECT_EQ(Read(pod_ / "resolv.conf"), Read("/etc/resolv.conf"));
  EXPECT_FALSE(fs::exists(pod_ / "net"));
  EXPECT_FALSE(fs::exists(pod_ / "shm"));
  EXPECT_EQ(Mounts(), 0);
}

TEST_F(SandboxTest, GoesByTheNodesNameWhereItHasNone) {
  MakeGood([](auto make) { make.setNewUts(true); });
  char name[65] = "";
  gethostname(name, sizeof(name));
  EXPECT_EQ(Read(pod_ / "hostname"), absl::StrCat(name, "\n"));
  Inside({"uts"}, [&] {
    char inside[65] = "";
    gethostname(inside, sizeof(inside));
    EXPECT_STREQ(inside, name);
  });
}

TEST_F(SandboxTest, RefusesAnOversizedResolvConfOfTheNode) {
  MakeInChild(
      [&](auto make) {
        ASSERT_EQ(unshare(CLONE_NEWNS), 0);
        std::ofstream(run_ / "big") << std::string((64 << 10) + 1, '#');
        const fs::path real = fs::canonical("/etc/resolv.conf");
        ASSERT_EQ(mount((run_ / "big").c_str(), real.c_str(), nullptr, MS_BIND, nullptr), 0);
        Everything(make);
      },
      [](absl::Status status) { EXPECT_TRUE(absl::IsResourceExhausted(status)) << status; });
  EXPECT_FALSE(fs::exists(pod_));
}

TEST_F(SandboxTest, RemovesEverything) {
  MakeGood(Everything);
  EXPECT_EQ(Mounts(), 4);
  EXPECT_TRUE(Remove().ok());
  EXPECT_FALSE(fs::exists(pod_));
  EXPECT_EQ(Mounts(), 0);
  EXPECT_TRUE(Remove().ok()) << "twice is as good as once";
}

TEST_F(SandboxTest, RemovesWhileAFileOfShmIsOpen) {
  MakeGood(Everything);
  std::ofstream busy(pod_ / "shm" / "busy");
  busy << "x" << std::flush;
  EXPECT_TRUE(Remove().ok());
  EXPECT_EQ(Mounts(), 0);
}

TEST_F(SandboxTest, RemovesHalfStates) {
  // Pins without mounts, as after a crash or a reboot of a run directory on disk.
  fs::create_directories(pod_);
  std::ofstream(pod_ / "net") << "";
  std::ofstream(pod_ / "resolv.conf") << "";
  EXPECT_TRUE(Remove().ok());
  EXPECT_FALSE(fs::exists(pod_));
  // Mounted twice.
  MakeGood(Everything);
  ASSERT_EQ(mount("/proc/self/ns/net", (pod_ / "net").c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_TRUE(Remove().ok());
  EXPECT_FALSE(fs::exists(pod_));
  EXPECT_EQ(Mounts(), 0);
}

TEST_F(SandboxTest, FollowsNoLinkWhenRemoving) {
  fs::create_directories(run_ / "pods");
  fs::create_directories(run_ / "elsewhere");
  std::ofstream(run_ / "elsewhere" / "kept") << "x";
  fs::create_directory_symlink(run_ / "elsewhere", pod_);
  EXPECT_FALSE(Remove().ok());
  EXPECT_TRUE(fs::exists(run_ / "elsewhere" / "kept"));
  fs::remove(pod_);
  fs::create_directory(pod_);
  ASSERT_EQ(mount("t", (run_ / "elsewhere").c_str(), "tmpfs", 0, nullptr), 0);
  fs::create_directory_symlink(run_ / "elsewhere", pod_ / "shm");
  EXPECT_TRUE(Remove().ok());
  EXPECT_EQ(Mounts(), 1) << "the link's target stays mounted";
}

TEST_F(SandboxTest, MakesAgainAfterACrash) {
  MakeGood(Everything);
  struct stat before, after;
  ASSERT_EQ(stat((pod_ / "net").c_str(), &before), 0);
  base::UniqueFd held(open((pod_ / "net").c_str(), O_RDONLY | O_CLOEXEC));
  MakeGood(Everything);
  ASSERT_EQ(stat((pod_ / "net").c_str(), &after), 0);
  EXPECT_NE(before.st_ino, after.st_ino);
  EXPECT_EQ(Mounts(), 4);
}

TEST_F(SandboxTest, LeavesNothingAfterAFailure) {
  // The kernel refuses it late, when everything but the pins is made.
  const std::string core_pattern = Read("/proc/sys/kernel/core_pattern");
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x"},
           {"net.ipv4.no_such_thing", "1"},
           {"net.ipv4.ip_forward", "x"}}) {
    MakeInChild(
        [&, &name = name, &value = value](auto make) {
          Everything(make);
          SetSysctls(make, {{name, value}});
        },
        [](absl::Status status) {
          EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
          EXPECT_THAT(std::string(status.message()), HasSubstr("linux.sysctls["));
        });
    EXPECT_FALSE(fs::exists(pod_));
    EXPECT_EQ(Mounts(), 0);
  }
  EXPECT_EQ(Read("/proc/sys/kernel/core_pattern"), core_pattern);
}

TEST_F(SandboxTest, CannotReachTheNodesPartOfNet) {
  const char* const kNodes = "/proc/sys/net/core/bpf_jit_harden";
  if (!fs::exists(kNodes)) GTEST_SKIP() << "no such sysctl here";
  const std::string before = Read(kNodes);
  MakeInChild(
      [](auto make) {
        Everything(make);
        SetSysctls(make, {{"net.core.bpf_jit_harden", "2"}});
      },
      [](absl::Status status) { EXPECT_TRUE(absl::IsInvalidArgument(status)) << status; });
  EXPECT_EQ(Read(kNodes), before);
}

TEST_F(SandboxTest, RefusesBeforeMakingAnything) {
  const std::vector<Fill> bad = {
      [](auto make) { make.setHostname("a b"); },
      [](auto make) { make.setHostname(std::string(65, 'a')); },
      [](auto make) { make.setShmBytes(0); },
      [](auto make) { make.initDnsServers(1).set(0, "x"); },
      [](auto make) {
        SetSysctls(make, {{"kernel.core_pattern", "x"}});
      },
      [](auto make) {
        SetSysctls(make, {{"net/../kernel/core_pattern", "x"}});
      },
      [](auto make) {
        make.setNewNetwork(false), SetSysctls(make, {{"net.ipv4.ip_forward", "1"}});
      },
      [](auto make) {
        make.setNewIpc(false), SetSysctls(make, {{"kernel.sem", "1"}});
      },
  };
  for (const Fill& fill : bad) {
    MakeInChild(
        [&](auto make) { Everything(make), fill(make); },
        [](absl::Status status) { EXPECT_TRUE(absl::IsInvalidArgument(status)) << status; });
    EXPECT_FALSE(fs::exists(run_ / "pods"));
  }
}

TEST_F(SandboxTest, RefusesWhatIsNoId) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::SandboxJob>();
  job.setRemove();
  for (const char* id : {"", "..", "../x", "a/b"}) {
    job.setPodId(id);
    EXPECT_TRUE(absl::IsInvalidArgument(RunSandboxJob(job.asReader(), run_fd_.get())));
  }
}

// Whoever gives the job: what root's policy does not grant is not made.
TEST_F(SandboxTest, RefusesWhatThePolicyDoesNotGrant) {
  const auto refused = [this](const std::string& key, const Fill& change) {
    MakeInChild(
        [&](schema::SandboxJob::Make::Builder make) {
          Everything(make);
          change(make);
        },
        [&key](absl::Status status) {
          EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << key << " " << status;
          EXPECT_EQ(security::RuleOf(status), "pods." + key);
        });
    EXPECT_FALSE(fs::exists(pod_)) << key;
  };
  const auto sysctl = [](const char* name) {
    return [name](schema::SandboxJob::Make::Builder make) {
      auto one = make.initSysctls(1)[0];
      one.setKey(name);
      one.setValue("1");
    };
  };
  Publish({.node = *security::PodProfile("restricted")});
  refused("host_network", [](auto make) { make.setNewNetwork(false); });
  refused("host_ipc", [](auto make) { make.setNewIpc(false); });
  refused("sysctls", sysctl("net.core.somaxconn"));
  security::PodPolicies policies = {.node = *security::PodProfile("baseline")};
  policies.node.user_namespace_required = true;
  Publish(policies);
  refused("user_namespace_required", [](auto) {});
  policies.node.user_namespace_required = false;
  Publish(policies);
  MakeGood([&](schema::SandboxJob::Make::Builder make) {
    Everything(make);
    sysctl("net.ipv4.tcp_syncookies")(make);
  });
  EXPECT_TRUE(Remove().ok());
  fs::remove(run_ / security::kPodPolicyFile);
  MakeInChild(Everything, [](absl::Status status) { EXPECT_FALSE(status.ok()); });
}

}  // namespace
}  // namespace bulkhead::sandbox
