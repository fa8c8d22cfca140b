#include <capnp/message.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"
#include "worker/network/config_files.h"
#include "worker/network/job.h"

namespace bulkhead::network {
namespace {

namespace fs = std::filesystem;
using schema::NetworkRequest;
using testing::ElementsAre;
using testing::HasSubstr;

struct Reply {
  absl::Status status;
  int exit_code = -1;
  std::string output;
};

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "plugins run as root";
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    char name[] = "/tmp/bulkhead-network-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    for (const char* sub : {"bin", "bin2", "conf"}) fs::create_directory(dir_ / sub);
    fs::create_directories(dir_ / "run" / "pods" / id_);
    run_ = base::UniqueFd(open((dir_ / "run").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override {
    if (dir_.empty()) return;
    umount2((dir_ / "run/pods" / id_ / "net").c_str(), MNT_DETACH);
    fs::remove_all(dir_);
  }

  void AddPlugin(const std::string& path, const std::string& script) {
    std::ofstream(dir_ / path) << "#!/bin/sh\n" << script;
    fs::permissions(dir_ / path, fs::perms(0755));
  }
  // The test process's own network namespace serves as the pod's: nothing here changes it.
  void Pin() {
    const fs::path pin = dir_ / "run/pods" / id_ / "net";
    std::ofstream(pin) << "";
    ASSERT_EQ(mount("/proc/self/ns/net", pin.c_str(), nullptr, MS_BIND, nullptr), 0);
  }

  using FillJob = std::function<void(schema::NetworkJob::Builder)>;
  void Fill(schema::NetworkJob::Builder job) {
    job.setPodId(id_);
    job.setPodName("web-0");
    job.setPodNamespace("default");
    job.setPodUid("u-1");
    job.setInterface("eth0");
    auto dirs = job.initBinDirs(2);
    dirs.set(0, (dir_ / "bin").string());
    dirs.set(1, (dir_ / "bin2").string());
    job.setPluginTimeoutMs(20000);
  }
  // Serves in a thread while talk uses the other end, and returns the result's status.
  absl::Status Serve(const FillJob& change, const std::function<void(int socket)>& talk) {
    auto pair = base::MakeSocketPair(SOCK_STREAM);
    if (!pair.ok()) return pair.status();
    absl::Status status;
    std::thread server([&, socket = std::make_shared<base::UniqueFd>(std::move(pair->second))] {
      capnp::MallocMessageBuilder in, out;
      auto job = in.initRoot<schema::NetworkJob>();
      Fill(job);
      if (change) change(job);
      auto result = out.initRoot<schema::NetworkResult>();
      std::vector<base::UniqueFd> fds;
      fds.push_back(std::move(*socket));
      RunNetworkJob(job.asReader(), std::move(fds), run_.get(), result);
      status = ipc::ReadStatus(result.asReader().getStatus());
    });
    talk(pair->first.get());
    pair->first.Reset();
    server.join();
    return status;
  }
  static Reply Ask(int socket, const std::string& plugin, NetworkRequest::Command command,
                   absl::string_view input = "{}") {
    capnp::MallocMessageBuilder message;
    auto request = message.initRoot<NetworkRequest>();
    request.setPlugin(plugin);
    request.setCommand(command);
    request.setStdin(kj::arrayPtr(reinterpret_cast<const kj::byte*>(input.data()), input.size()));
    const auto deadline = base::Deadline::After(absl::Seconds(60));
    if (auto sent = ipc::Send(socket, message, {}, deadline); !sent.ok()) return {sent};
    auto received = ipc::Receive(socket, {}, deadline);
    if (!received.ok()) return {received.status()};
    auto reply = received->As<schema::NetworkReply>();
    return {ipc::ReadStatus(reply.getStatus()), reply.getExitCode(),
            std::string(reply.getStdout().asChars().begin(), reply.getStdout().size())};
  }
  Reply AskOnce(const std::string& plugin, NetworkRequest::Command command,
                const FillJob& change = nullptr) {
    Reply reply;
    const absl::Status served =
        Serve(change, [&](int socket) { reply = Ask(socket, plugin, command); });
    EXPECT_TRUE(served.ok()) << served;
    return reply;
  }

  const std::string id_ = base::NewId();
  fs::path dir_;
  base::UniqueFd run_;
};

constexpr NetworkRequest::Command kAdd = NetworkRequest::Command::ADD;
constexpr NetworkRequest::Command kDel = NetworkRequest::Command::DEL;

TEST_F(NetworkTest, RunsAPluginWithAConstantEnvironment) {
  Pin();
  AddPlugin("bin/bridge", "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort; cat");
  setenv("LD_PRELOAD_X", "bad", 1);
  const Reply reply = AskOnce("bridge", kAdd);
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.exit_code, 0);
  EXPECT_EQ(reply.output,
            absl::StrCat("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;"
                         "K8S_POD_INFRA_CONTAINER_ID=",
                         id_, ";K8S_POD_UID=u-1\n", "CNI_COMMAND=ADD\nCNI_CONTAINERID=", id_,
                         "\nCNI_IFNAME=eth0\nCNI_NETNS=", dir_.string(), "/run/pods/", id_,
                         "/net\nCNI_PATH=", dir_.string(), "/bin:", dir_.string(),
                         "/bin2\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n{}"));
}

TEST_F(NetworkTest, AnswersSeveralRequestsAndEndsWithThePeer) {
  Pin();
  AddPlugin("bin2/a", "cat; exit 7");
  const absl::Status served = Serve(nullptr, [&](int socket) {
    for (const char* input : {"one", "two"}) {
      const Reply reply = Ask(socket, "a", kAdd, input);
      EXPECT_EQ(reply.output, input);
      EXPECT_EQ(reply.exit_code, 7);
    }
    EXPECT_TRUE(absl::IsNotFound(Ask(socket, "missing", kAdd).status));
  });
  EXPECT_TRUE(served.ok()) << served;
}

TEST_F(NetworkTest, NeverTakesAPath) {
  Pin();
  AddPlugin("outside", "echo outside");
  fs::create_symlink("../outside", dir_ / "bin" / "linked");
  fs::create_symlink("/outside", dir_ / "bin" / "absolute");
  AddPlugin("bin/real", "echo real");
  fs::create_symlink("real", dir_ / "bin" / "alias");
  for (const char* name : {"../outside", "", ".", "..", "a/b", "a b", "a\nb", "-a:b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(AskOnce(name, kAdd).status)) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(AskOnce(std::string(65, 'a'), kAdd).status));
  EXPECT_TRUE(absl::IsNotFound(AskOnce("linked", kAdd).status));
  EXPECT_TRUE(absl::IsNotFound(AskOnce("absolute", kAdd).status));
  EXPECT_EQ(AskOnce("alias", kAdd).output, "real\n");
}

TEST_F(NetworkTest, RefusesWhatOthersMayChange) {
  Pin();
  AddPlugin("bin/writable", "echo x");
  fs::permissions(dir_ / "bin/writable", fs::perms(0775));
  EXPECT_TRUE(absl::IsPermissionDenied(AskOnce("writable", kAdd).status));
  AddPlugin("bin/foreign", "echo x");
  ASSERT_EQ(chown((dir_ / "bin/foreign").c_str(), 1000, 0), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(AskOnce("foreign", kAdd).status));
  fs::create_directory(dir_ / "bin/directory");
  EXPECT_TRUE(absl::IsPermissionDenied(AskOnce("directory", kAdd).status));
  AddPlugin("bin2/good", "echo x");
  EXPECT_TRUE(AskOnce("good", kAdd).status.ok());
  fs::permissions(dir_ / "bin", fs::perms(0777));
  EXPECT_TRUE(absl::IsPermissionDenied(AskOnce("good", kAdd).status));
}

TEST_F(NetworkTest, NeverRunsAddWithoutThePodsNamespace) {
  AddPlugin("bin/a", "echo \"<$CNI_NETNS>\"");
  EXPECT_TRUE(absl::IsFailedPrecondition(AskOnce("a", kAdd).status));
  EXPECT_EQ(AskOnce("a", kDel).output, "<>\n");
  // A plain file, as a crash leaves it.
  std::ofstream(dir_ / "run/pods" / id_ / "net") << "";
  EXPECT_TRUE(absl::IsFailedPrecondition(AskOnce("a", kAdd).status));
  EXPECT_EQ(AskOnce("a", kDel).output, "<>\n");
  fs::remove(dir_ / "run/pods" / id_ / "net");
  fs::create_symlink("/proc/self/ns/net", dir_ / "run/pods" / id_ / "net");
  EXPECT_FALSE(AskOnce("a", kAdd).status.ok());
  fs::remove(dir_ / "run/pods" / id_ / "net");
  Pin();
  const FillJob gone = [](auto job) { job.setNetnsGone(true); };
  EXPECT_EQ(AskOnce("a", kDel, gone).output, "<>\n");
  EXPECT_TRUE(absl::IsFailedPrecondition(AskOnce("a", kAdd, gone).status));
  EXPECT_THAT(AskOnce("a", kDel).output, HasSubstr("/net>"));
}

TEST_F(NetworkTest, RefusesWhatCniArgsCannotCarry) {
  const std::vector<FillJob> bad = {
      [](auto job) { job.setPodName("a;IgnoreUnknown=0;K8S_POD_NAME=b"); },
      [](auto job) { job.setPodNamespace("a=b"); },
      [](auto job) { job.setPodUid("a\nb"); },
      [](auto job) { job.setPodId("../x"); },
      [](auto job) { job.setInterface(""); },
      [](auto job) { job.setInterface("interface-name-too-long"); },
      [](auto job) { job.getBinDirs().set(0, "relative"); },
      [](auto job) { job.getBinDirs().set(0, "/a:/b"); },
      [](auto job) { job.getBinDirs().set(0, "/a/../b"); },
      [](auto job) { job.setPluginTimeoutMs(0); },
  };
  for (const FillJob& change : bad) {
    EXPECT_TRUE(absl::IsInvalidArgument(Serve(change, [](int) {})));
  }
}

TEST_F(NetworkTest, PassesTimeoutsAndFloodsOnAsStatus) {
  Pin();
  AddPlugin("bin/hang", "sleep 1000");
  AddPlugin("bin/flood", "exec cat /dev/zero");
  AddPlugin("bin/silent", "exit 0");
  const FillJob quick = [](auto job) { job.setPluginTimeoutMs(300); };
  EXPECT_TRUE(absl::IsDeadlineExceeded(AskOnce("hang", kAdd, quick).status));
  EXPECT_TRUE(absl::IsResourceExhausted(AskOnce("flood", kAdd).status));
  const Reply silent = AskOnce("silent", kAdd);
  EXPECT_TRUE(silent.status.ok());
  EXPECT_EQ(silent.output, "");
}

TEST_F(NetworkTest, EndsOnAMalformedRequest) {
  EXPECT_TRUE(absl::IsDataLoss(Serve(nullptr, [](int socket) {
    const std::string garbage(64, 'x');
    EXPECT_TRUE(base::WriteAll(socket, garbage).ok());
  })));
}

TEST_F(NetworkTest, EndsWhenAskedTooOften) {
  EXPECT_TRUE(absl::IsResourceExhausted(Serve(nullptr, [](int socket) {
    for (int i = 0; i < 640; ++i) Ask(socket, "", kAdd);
  })));
}

TEST_F(NetworkTest, OpensConfigurationInNameOrder) {
  const fs::path conf = dir_ / "conf";
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(conf / name) << text;
    fs::permissions(conf / name, fs::perms(0600));
  };
  write("20-b.conflist", "b");
  write("10-a.conf", "a");
  write("30-c.json", "c");
  write("README", "x");
  write("40-big.conf", std::string((64 << 10) + 1, ' '));
  write("50-loose.conf", "x");
  fs::permissions(conf / "50-loose.conf", fs::perms(0666));
  fs::create_symlink("10-a.conf", conf / "05-link.conf");
  fs::create_directory(conf / "06-dir.conf");
  ASSERT_EQ(mkfifo((conf / "07-pipe.conf").c_str(), 0600), 0);

  capnp::MallocMessageBuilder in, out;
  auto job = in.initRoot<schema::NetworkJob>();
  job.setConfDir(conf.string());
  auto result = out.initRoot<schema::NetworkResult>();
  const auto fds = RunNetworkJob(job.asReader(), {}, run_.get(), result);
  EXPECT_TRUE(ipc::ReadStatus(result.asReader().getStatus()).ok());
  std::vector<std::string> names;
  for (auto name : result.asReader().getFileNames()) names.emplace_back(name.cStr());
  EXPECT_THAT(names, ElementsAre("10-a.conf", "20-b.conflist", "30-c.json"));
  ASSERT_EQ(fds.size(), 3u);
  EXPECT_EQ(base::ReadAll(fds[1].get(), 10).value_or(""), "b");
  EXPECT_EQ(fcntl(fds[1].get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(NetworkTest, BoundsTheNumberOfConfigurations) {
  for (int i = 0; i < 40; ++i) {
    std::ofstream(dir_ / "conf" / absl::StrCat(100 + i, ".conf")) << "x";
  }
  auto files = OpenConfigFiles(dir_ / "conf");
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->names.size(), 32u);
  EXPECT_EQ(files->names.back(), "131.conf");
}

TEST_F(NetworkTest, TakesAMissingDirectoryForAnEmptyOne) {
  EXPECT_TRUE(OpenConfigFiles(dir_ / "nothing")->names.empty());
  fs::permissions(dir_ / "conf", fs::perms(0777));
  EXPECT_TRUE(absl::IsPermissionDenied(OpenConfigFiles(dir_ / "conf").status()));
}

}  // namespace
}  // namespace bulkhead::network
