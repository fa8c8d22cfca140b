// sandbox, cni and network as real processes, each under its profile, as the broker uses them.
#include <capnp/message.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "base/ids.h"
#include "ipc/status_codec.h"
#include "schema/worker/cni.capnp.h"
#include "schema/worker/network.capnp.h"
#include "schema/worker/sandbox.capnp.h"
#include "security/policy/pod_policy_codec.h"
#include "worker/import/live_worker.h"

namespace bulkhead::worker {
namespace {

namespace fs = std::filesystem;
using testing::StartsWith;

class PodNetworkWorkersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "profiles need root";
    if (!fs::exists("/usr/lib/cni/bridge")) GTEST_SKIP() << "no plugins in /usr/lib/cni";
    ASSERT_EQ(unshare(CLONE_NEWNS | CLONE_NEWNET), 0) << strerror(errno);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("run", "/run", "tmpfs", 0, nullptr), 0);
    char name[] = "/tmp/bulkhead-pod-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    for (const char* sub : {"conf", "run"}) fs::create_directory(dir_ / sub);
    // As on a node: what is mounted here is seen elsewhere.
    ASSERT_EQ(mount("run", (dir_ / "run").c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_EQ(mount(nullptr, (dir_ / "run").c_str(), nullptr, MS_SHARED, nullptr), 0);
    run_ = base::UniqueFd(open((dir_ / "run").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    WritePolicy();
    WriteConfig();
  }
  void TearDown() override {
    if (dir_.empty()) return;
    run_.Reset();
    umount2((dir_ / "run").c_str(), MNT_DETACH);
    fs::remove_all(dir_);
  }
  // As `bulkhead up` does.
  void WritePolicy() {
    const security::PodPolicies policies = {.node = *security::PodProfile(security::kCompatible)};
    std::ofstream(dir_ / "run" / security::kPodPolicyFile) << *EncodePodPolicies(policies);
    fs::permissions(dir_ / "run" / security::kPodPolicyFile, fs::perms(0600));
  }
  void WriteConfig() {
    std::ofstream(dir_ / "conf" / "10-test.conflist")
        << R"({"cniVersion":"1.0.0","name":"test","plugins":[{"type":"bridge","bridge":"cni0",)"
        << R"("isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","dataDir":")"
        << dir_.string() << R"(/leases","ranges":[[{"subnet":"10.67.0.0/24"}]]}}]})";
    fs::permissions(dir_ / "conf" / "10-test.conflist", fs::perms(0600));
  }

  std::unique_ptr<LiveWorker> Start(const security::Profile& profile, bool run_dir) {
    std::vector<int> dirs;
    if (run_dir) dirs.push_back(run_.get());
    return std::make_unique<LiveWorker>(profile, BULKHEAD_PROGRAMS, dirs);
  }
  absl::Status Sandbox(bool make) {
    auto worker = Start(security::kSandboxProfile, true);
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::SandboxJob>();
    job.setPodId(id_);
    job.setRemove();
    if (make) FillMake(job.initMake());
    worker->Send(message, {});
    auto result = worker->Receive();
    return ipc::ReadStatus(result.As<schema::SandboxResult>().getStatus());
  }
  static void FillMake(schema::SandboxJob::Make::Builder make) {
    make.setNewNetwork(true);
    make.setNewIpc(true);
    make.setNewUts(true);
    make.setHostname("web-0");
    make.setShmBytes(1 << 20);
    auto sysctls = make.initSysctls(3);
    sysctls[0].setKey("net.ipv4.ip_unprivileged_port_start");
    sysctls[0].setValue("0");
    sysctls[1].setKey("kernel.shm_rmid_forced");
    sysctls[1].setValue("1");
    sysctls[2].setKey("fs.mqueue.msg_max");
    sysctls[2].setValue("20");
  }
  void OpenConfig() {
    auto worker = Start(security::kNetworkProfile, true);
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::NetworkJob>().setConfDir((dir_ / "conf").string());
    worker->Send(message, {});
    auto result = worker->Receive(32);
    files_ = std::move(result.fds());
    ASSERT_EQ(files_.size(), 1u);
  }
  absl::Status Cni(schema::CniJob::Operation operation) {
    auto pair = base::MakeSocketPair(SOCK_STREAM);
    if (!pair.ok()) return pair.status();
    auto network = Start(security::kNetworkProfile, true);
    SendNetworkJob(*network, pair->second.get());
    pair->second.Reset();
    auto cni = Start(security::kCniProfile, false);
    SendCniJob(*cni, operation, pair->first.get());
    pair->first.Reset();
    auto thought = cni->Receive();
    auto acted = network->Receive();
    EXPECT_TRUE(ipc::ReadStatus(acted.As<schema::NetworkResult>().getStatus()).ok());
    auto result = thought.As<schema::CniResult>();
    if (result.getIps().size() > 0) ip_ = result.getIps()[0].cStr();
    if (result.getConfiguration().size() > 0) configuration_ = Text(result.getConfiguration());
    if (operation == schema::CniJob::Operation::ADD) {
      result_ = Text(result.getResult());
      attempted_ = result.getAttempted();
    }
    return ipc::ReadStatus(result.getStatus());
  }
  void SendNetworkJob(LiveWorker& worker, int socket) {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::NetworkJob>();
    job.setPodId(id_);
    job.setPodName("web-0");
    job.setPodNamespace("default");
    job.setPodUid("uid");
    job.setInterface("eth0");
    job.initBinDirs(1).set(0, "/usr/lib/cni");
    job.setPluginTimeoutMs(30000);
    worker.Send(message, {socket});
  }
  void SendCniJob(LiveWorker& worker, schema::CniJob::Operation operation, int socket) {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::CniJob>();
    job.setOperation(operation);
    std::vector<int> fds = {socket};
    if (operation == schema::CniJob::Operation::LOAD) {
      job.initFileNames(1).set(0, "10-test.conflist");
      fds.push_back(files_[0].get());
    } else {
      auto attachment = job.initAttachment();
      attachment.setConfiguration(kj::StringPtr(configuration_.c_str()).asBytes());
      attachment.setResult(kj::StringPtr(result_.c_str()).asBytes());
      attachment.setAttempted(attempted_);
    }
    worker.Send(message, fds);
  }

  static std::string Text(capnp::Data::Reader data) {
    return std::string(data.asChars().begin(), data.size());
  }

  const std::string id_ = base::NewId();
  fs::path dir_;
  base::UniqueFd run_;
  std::vector<base::UniqueFd> files_;
  std::string ip_, configuration_, result_;
  uint16_t attempted_ = 0;
};

TEST_F(PodNetworkWorkersTest, MakeAndTakeAwayAPodsNetwork) {
  const absl::Status made = Sandbox(true);
  ASSERT_TRUE(made.ok()) << made;
  EXPECT_TRUE(fs::exists(dir_ / "run/pods" / id_ / "net"));
  OpenConfig();
  const absl::Status loaded = Cni(schema::CniJob::Operation::LOAD);
  ASSERT_TRUE(loaded.ok()) << loaded;
  const absl::Status added = Cni(schema::CniJob::Operation::ADD);
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_THAT(ip_, StartsWith("10.67.0."));
  EXPECT_TRUE(fs::exists(dir_ / "leases/test" / ip_));
  const absl::Status deleted = Cni(schema::CniJob::Operation::DEL);
  EXPECT_TRUE(deleted.ok()) << deleted;
  EXPECT_FALSE(fs::exists(dir_ / "leases/test" / ip_));
  EXPECT_TRUE(Sandbox(false).ok());
  EXPECT_FALSE(fs::exists(dir_ / "run/pods" / id_));
}

TEST_F(PodNetworkWorkersTest, ReportAFailureAndLeaveNothing) {
  auto worker = Start(security::kSandboxProfile, true);
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::SandboxJob>();
  job.setPodId(id_);
  FillMake(job.initMake());
  job.getMake().getSysctls()[0].setKey("net.ipv4.no_such_thing");
  worker->Send(message, {});
  auto result = worker->Receive();
  EXPECT_TRUE(
      absl::IsInvalidArgument(ipc::ReadStatus(result.As<schema::SandboxResult>().getStatus())));
  EXPECT_FALSE(fs::exists(dir_ / "run/pods" / id_));
}

}  // namespace
}  // namespace bulkhead::worker
