#pragma once

#include <capnp/message.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/mount.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"
#include "schema/monitor.capnp.h"
#include "schema/worker/launch.capnp.h"
#include "security/enforce/spawn.h"
#include "security/policy/pod_policy_codec.h"
#include "security/profile.h"
#include "security/workload/defaults.h"

// Drives the real launch and monitor programs, with the real crun and a rootfs of busybox, as
// spawner and broker do.
namespace bulkhead::launch {

namespace fs = std::filesystem;
using State = schema::MonitorState::State;
using Source = schema::ContainerSpec::Namespaces::Source;
using SpecChange = std::function<void(schema::ContainerSpec::Builder)>;

struct Seen {
  State state = State::CREATED;
  int exit_code = -1;
  bool oom_killed = false;
};

struct ExecResult {
  absl::Status status;
  std::string out, err;
  int exit_code = -1;
};

class LaunchFixture : public testing::Test {
 protected:
  // Mounts of these tests stay in a namespace of this process.
  static void SetUpTestSuite() {
    if (geteuid() != 0) return;
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
  }
  void SetUp() override {
    if (geteuid() != 0 || access("/usr/bin/crun", X_OK) != 0 || access("/bin/busybox", X_OK) != 0) {
      GTEST_SKIP() << "needs root, crun and busybox-static";
    }
    mode_ = *base::DetectCgroupMode();
    char name[] = "/tmp/bulkhead-launch-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    chmod(name, 0755);
    for (const char* sub : {"root", "run", "run/pods", "monitor", "image", "host"}) {
      fs::create_directory(dir_ / sub);
    }
    fs::create_directories(dir_ / "run/pods" / pod_);
    Publish({.node = *security::PodProfile(security::kCompatible)});
    MakeImage();
    ::signal(SIGPIPE, SIG_IGN);
  }
  void TearDown() override {
    if (dir_.empty()) return;
    if (launched_) {
      EXPECT_TRUE(Delete().ok());
    }
    if (monitor_ > 0) {
      EXPECT_TRUE(MonitorEnds(true)) << "the monitor stays";
    }
    base::UniqueFd cgroups(open(base::kCgroupMount, O_PATH | O_CLOEXEC));
    EXPECT_TRUE(base::RemoveCgroup(cgroups.get(), mode_, cgroup_parent_).ok());
    umount2((dir_ / "run/pods" / pod_ / "net").c_str(), MNT_DETACH);
    umount2((dir_ / "host/dir/sub").c_str(), MNT_DETACH);
    fs::remove_all(dir_);
  }

  // As `bulkhead up` does.
  void Publish(security::PodPolicies policies) {
    if (policies.programs.empty()) policies.programs["crun"] = "/usr/bin/crun";
    const fs::path file = dir_ / "run" / security::kPodPolicyFile;
    std::ofstream(file) << *security::EncodePodPolicies(policies);
    chmod(file.c_str(), 0600);
  }

  // Which of the two workers that do the same jobs: launch, or lxc.
  static std::string Worker() {
    const char* name = getenv("BULKHEAD_TEST_WORKER");
    return name != nullptr ? name : "launch";
  }

  void MakeImage() {
    for (const char* sub : {"bin", "etc", "tmp", "proc", "dev", "sys"}) {
      fs::create_directory(dir_ / "image" / sub);
    }
    fs::copy_file("/bin/busybox", dir_ / "image/bin/busybox");
    for (const char* applet :
         {"sh", "cat", "echo", "id", "ls", "pwd", "env", "sleep", "tail", "true", "grep", "tty",
          "readlink", "touch", "yes", "head", "stat", "hostname"}) {
      fs::create_symlink("busybox", dir_ / "image/bin" / applet);
    }
  }

  // Runs one launch worker with the job. keep: it may go on as the monitor.
  absl::Status RunJob(capnp::MallocMessageBuilder& message, const std::vector<int>& fds,
                      const std::function<void(schema::LaunchResult::Reader)>& read = nullptr) {
    base::FdPair control = *base::MakeSocketPair(SOCK_STREAM);
    base::UniqueFd root(open((dir_ / "root").c_str(), O_PATH | O_CLOEXEC));
    base::UniqueFd run(open((dir_ / "run").c_str(), O_PATH | O_CLOEXEC));
    const std::string name = absl::StrCat(BULKHEAD_BIN_DIR, "/bulkhead-worker-", Worker());
    base::UniqueFd program(open(name.c_str(), O_PATH | O_CLOEXEC));
    security::SpawnOptions options;
    options.program = program.get();
    options.fds = {control.second.get(), root.get(), run.get()};
    absl::StatusOr<security::Spawned> spawned =
        security::Spawn(*security::FindProfile(Worker()), options);
    if (!spawned.ok()) return spawned.status();
    control.second.Reset();
    const base::Deadline deadline = base::Deadline::After(absl::Seconds(90));
    absl::Status status = ipc::Receive(control.first.get(), {}, deadline).status();  // hello
    if (status.ok()) status = ipc::Send(control.first.get(), message, fds, deadline);
    if (status.ok()) {
      auto answer = ipc::Receive(control.first.get(), {.max_bytes = 40 << 20}, deadline);
      status = answer.status();
      if (answer.ok()) {
        auto result = answer->As<schema::LaunchResult>();
        status = ipc::ReadStatus(result.getStatus());
        if (read) read(result);
      }
    }
    if (!status.ok()) fprintf(stderr, "%s\n", status.ToString().c_str());
    const auto job = message.getRoot<schema::LaunchJob>().asReader();
    if (job.isCreate() && status.ok()) {
      monitor_ = spawned->pid;
      return status;
    }
    control.first.Reset();
    waitpid(spawned->pid, nullptr, 0);
    return status;
  }

  void FillJob(schema::LaunchJob::Builder job) {
    job.setPodId(pod_);
    job.setContainerId(id_);
    job.setRuntimeName("crun");
    job.setRuntimePath("/usr/bin/crun");
    job.setCgroupMode(mode_ == base::CgroupMode::kV2   ? schema::Host::CgroupMode::V2
                      : mode_ == base::CgroupMode::kV1 ? schema::Host::CgroupMode::V1
                                                       : schema::Host::CgroupMode::HYBRID);
  }
  void FillProcess(schema::Process::Builder process, const std::vector<std::string>& args) {
    auto list = process.initArgs(args.size());
    for (unsigned i = 0; i < args.size(); ++i) list.set(i, args[i]);
    auto env = process.initEnv(1);
    env[0].setKey("PATH");
    env[0].setValue(kj::StringPtr("/bin").asBytes());
    process.setCwd("/");
    process.setCapabilities(security::DefaultCapabilities());
    process.initUser().initAdditionalGids(1);
    process.initSeccomp();  // RuntimeDefault
  }

  absl::Status Create(const std::vector<std::string>& args, const SpecChange& change = nullptr) {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::LaunchJob>();
    FillJob(job);
    auto spec = job.initCreate();
    FillProcess(spec.initProcess(), args);
    auto ns = spec.initNamespaces();
    ns.setNetwork(Source::HOST);
    ns.setIpc(Source::OWN);
    ns.setUts(Source::OWN);
    ns.setPid(Source::OWN);
    spec.setCgroup(absl::StrCat(cgroup_parent_, "/", id_));
    spec.setLogPath((dir_ / "log/0.log").string());
    if (change) change(spec);
    base::UniqueFd image(open((dir_ / "image").c_str(), O_PATH | O_CLOEXEC));
    base::UniqueFd rootfs = *base::CloneMount(image.get(), "", false);
    base::UniqueFd listener = Listen();
    std::vector<int> fds = {rootfs.get(), listener.get()};
    for (const base::UniqueFd& volume : volumes_) fds.push_back(volume.get());
    if (pidfd_) fds.push_back(pidfd_.get());
    const absl::Status status = RunJob(message, fds);
    launched_ = launched_ || status.ok();
    return status;
  }
  absl::Status Start() {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::LaunchJob>();
    FillJob(job);
    job.setStart();
    return RunJob(message, {});
  }
  absl::Status Delete() {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::LaunchJob>();
    FillJob(job);
    job.setDelete();
    launched_ = false;
    return RunJob(message, {});
  }
  ExecResult Exec(const std::vector<std::string>& args, int timeout_ms = 20000,
                  uint32_t max_bytes = 1 << 20,
                  const std::function<void(schema::Process::Builder)>& change = nullptr) {
    capnp::MallocMessageBuilder message;
    auto job = message.initRoot<schema::LaunchJob>();
    FillJob(job);
    auto exec = job.initExec();
    FillProcess(exec.initProcess(), args);
    if (change) change(exec.getProcess());
    exec.setTimeoutMs(static_cast<uint32_t>(timeout_ms));
    exec.setMaxOutputBytes(max_bytes);
    ExecResult got;
    got.status = RunJob(message, {}, [&](schema::LaunchResult::Reader result) {
      const auto text = [](capnp::Data::Reader data) {
        return std::string(data.asChars().begin(), data.size());
      };
      got.out = text(result.getStdout());
      got.err = text(result.getStderr());
      got.exit_code = result.getExitCode();
    });
    return got;
  }

  // Creates and starts; the failures are the test's.
  void Run(const std::vector<std::string>& args, const SpecChange& change = nullptr) {
    const absl::Status created = Create(args, change);
    ASSERT_TRUE(created.ok()) << created;
    const absl::Status started = Start();
    ASSERT_TRUE(started.ok()) << started;
  }

  sockaddr_un Address() {
    sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, (dir_ / "monitor/s").c_str());
    return address;
  }
  base::UniqueFd Listen() {
    base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = Address();
    fs::remove(address.sun_path);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(chmod(address.sun_path, 0666), 0);
    EXPECT_EQ(listen(fd.get(), 4), 0);
    return fd;
  }
  // As the broker.
  base::UniqueFd Connect(schema::MonitorRequest::Which which) {
    base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = Address();
    EXPECT_EQ(seteuid(security::kBrokerUid), 0);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(seteuid(0), 0);
    capnp::MallocMessageBuilder message;
    auto request = message.initRoot<schema::MonitorRequest>();
    if (which == schema::MonitorRequest::WATCH) request.setWatch();
    if (which == schema::MonitorRequest::ACKNOWLEDGE) request.setAcknowledge();
    EXPECT_TRUE(ipc::Send(fd.get(), message, {}, base::Deadline::After(absl::Seconds(5))).ok());
    return fd;
  }
  Seen WaitFor(State state) {
    base::UniqueFd fd = Connect(schema::MonitorRequest::WATCH);
    for (;;) {
      auto got = ipc::Receive(fd.get(), {.max_fds = 1}, base::Deadline::After(absl::Seconds(20)));
      if (!got.ok()) {
        ADD_FAILURE() << got.status();
        return {};
      }
      auto seen = got->As<schema::MonitorState>();
      if (seen.getState() != state) continue;
      return {seen.getState(), seen.getExitCode(), seen.getOomKilled()};
    }
  }
  bool MonitorEnds(bool acknowledge) {
    if (acknowledge) Connect(schema::MonitorRequest::ACKNOWLEDGE);
    const base::Deadline deadline = base::Deadline::After(absl::Seconds(10));
    while (!deadline.Passed()) {
      if (waitpid(monitor_, nullptr, WNOHANG) == monitor_) {
        monitor_ = -1;
        return true;
      }
      absl::SleepFor(absl::Milliseconds(5));
    }
    kill(monitor_, SIGKILL);
    waitpid(monitor_, nullptr, 0);
    monitor_ = -1;
    return false;
  }

  std::string Log() {
    std::ifstream in(dir_ / "log/0.log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The log's texts alone, without time, stream and tag.
  std::string Output() {
    std::string text;
    std::ifstream in(dir_ / "log/0.log");
    for (std::string line; std::getline(in, line);) {
      size_t at = 0;
      for (int i = 0; i < 3; ++i) at = line.find(' ', at) + 1;
      text += line.substr(at) + "\n";
    }
    return text;
  }
  fs::path Bundle() { return dir_ / "root/crun" / pod_ / id_; }
  bool NothingIsLeft() {
    base::UniqueFd cgroups(open(base::kCgroupMount, O_PATH | O_CLOEXEC));
    for (const std::string& directory :
         base::CgroupDirectories(mode_, absl::StrCat(cgroup_parent_, "/", id_))) {
      if (faccessat(cgroups.get(), directory.c_str(), F_OK, 0) == 0) {
        ADD_FAILURE() << "cgroup is left: " << directory;
        return false;
      }
    }
    return NoTraceBelowUnified() && !fs::exists(dir_ / "root/crun") &&
           !fs::exists(dir_ / "run/crun" / id_);
  }

  // On a hybrid node, what lies under the mount of the unified hierarchy.
  bool NoTraceBelowUnified() {
    const pid_t child = fork();
    if (child == 0) {
      constexpr char kUnified[] = "/sys/fs/cgroup/unified";
      if (unshare(CLONE_NEWNS) != 0) _exit(1);
      if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(1);
      umount2(kUnified, MNT_DETACH);
      _exit(fs::exists(absl::StrCat(kUnified, cgroup_parent_)) ? 1 : 0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    return status == 0;
  }

  fs::path dir_;
  base::CgroupMode mode_ = base::CgroupMode::kV2;
  const std::string pod_ = base::NewId();
  const std::string id_ = base::NewId();
  const std::string cgroup_parent_ = absl::StrCat("/bulkhead-test-", getpid());
  std::vector<base::UniqueFd> volumes_;
  base::UniqueFd pidfd_;  // goes with create
  pid_t monitor_ = -1;
  bool launched_ = false;
};

}  // namespace bulkhead::launch
