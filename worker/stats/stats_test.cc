// Against the kernel's own files: a cgroup with a process that works, and a network namespace.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "ipc/status_codec.h"
#include "worker/stats/job.h"
#include "worker/stats/numbers.h"

namespace bulkhead::stats {
namespace {

// A process in a cgroup of its own, in each hierarchy that there is.
class Busy {
 public:
  explicit Busy(base::CgroupMode mode) : mode_(mode) {
    root_.Reset(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (mode == base::CgroupMode::kV2) {
      base::WriteKernelFile(root_.get(), "cgroup.subtree_control", "+memory +pids +cpu")
          .IgnoreError();
    }
    for (const std::string& place : base::CgroupDirectories(mode, path_)) {
      mkdirat(root_.get(), place.c_str(), 0755);
      // v1's cpuset takes no process before it has these.
      for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
        base::WriteKernelFile(root_.get(), absl::StrCat(place, "/", file), "0").IgnoreError();
      }
    }
    const sigset_t start = StartSignal();
    sigprocmask(SIG_BLOCK, &start, nullptr);
    child_ = fork();
    if (child_ == 0) Work();
    for (const std::string& place : base::CgroupDirectories(mode, path_)) {
      absl::Status joined = base::WriteKernelFile(root_.get(), absl::StrCat(place, "/cgroup.procs"),
                                                  absl::StrCat(child_));
      EXPECT_TRUE(joined.ok()) << joined;
    }
    kill(child_, SIGUSR1);
    absl::SleepFor(absl::Milliseconds(300));
  }
  ~Busy() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    EXPECT_TRUE(base::RemoveCgroup(root_.get(), mode_, path_).ok());
  }

  int root() const { return root_.get(); }
  const std::string& path() const { return path_; }
  pid_t child() const { return child_; }

 private:
  // Blocked before the fork, so that none is too early.
  static sigset_t StartSignal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return set;
  }
  [[noreturn]] static void Work() {
    sigset_t start = StartSignal();
    int got = 0;
    sigwait(&start, &got);
    std::string memory(8 << 20, 'x');
    for (size_t i = 0;; i = (i + 1) % memory.size()) {
      memory[i]++;
      asm volatile("" ::: "memory");
    }
  }

  const base::CgroupMode mode_;
  const std::string path_ = absl::StrCat("/bulkhead-stats-test-", getpid());
  base::UniqueFd root_;
  pid_t child_ = -1;
};

class StatsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "cgroups and namespaces need root";
    absl::StatusOr<base::CgroupMode> mode = base::DetectCgroupMode();
    if (!mode.ok()) GTEST_SKIP() << mode.status();
    mode_ = *mode;
  }
  schema::Host::CgroupMode SchemaMode() const {
    return mode_ == base::CgroupMode::kV2   ? schema::Host::CgroupMode::V2
           : mode_ == base::CgroupMode::kV1 ? schema::Host::CgroupMode::V1
                                            : schema::Host::CgroupMode::HYBRID;
  }
  absl::Status Run(const std::vector<std::string>& cgroups, std::vector<base::UniqueFd> sockets,
                   int root) {
    capnp::MallocMessageBuilder in;
    auto job = in.initRoot<schema::StatsJob>();
    job.setCgroupMode(SchemaMode());
    auto list = job.initCgroups(cgroups.size());
    for (size_t i = 0; i < cgroups.size(); ++i) list.set(i, cgroups[i]);
    out_ = std::make_unique<capnp::MallocMessageBuilder>();
    auto result = out_->initRoot<schema::StatsResult>();
    RunStatsJob(job, std::move(sockets), root, result);
    return ipc::ReadStatus(result.asReader().getStatus());
  }
  schema::StatsResult::Reader Result() { return out_->getRoot<schema::StatsResult>().asReader(); }

  base::CgroupMode mode_ = base::CgroupMode::kV1;
  std::unique_ptr<capnp::MallocMessageBuilder> out_;
};

TEST_F(StatsTest, ReadsWhatACgroupUses) {
  const Busy busy(mode_);
  ASSERT_TRUE(Run({busy.path()}, {}, busy.root()).ok());
  const auto first = Result().getCgroups()[0];
  const int64_t cpu = first.getCpuNs();
  EXPECT_GT(cpu, 0);
  EXPECT_GT(first.getClockNs(), 0);
  EXPECT_GT(first.getMemoryBytes(), 8 << 20);
  EXPECT_GE(first.getRssBytes(), 8 << 20);
  EXPECT_LE(first.getRssBytes(), first.getMemoryBytes());
  EXPECT_GE(first.getInactiveFileBytes(), 0);
  EXPECT_EQ(first.getMemoryLimit(), -1) << "none was set";
  EXPECT_GT(first.getPageFaults(), 1000);
  EXPECT_GE(first.getMajorPageFaults(), 0);
  EXPECT_EQ(first.getTasks(), 1);
  EXPECT_EQ(first.getProcesses(), 1);
  absl::SleepFor(absl::Milliseconds(200));
  ASSERT_TRUE(Run({busy.path()}, {}, busy.root()).ok());
  EXPECT_GT(Result().getCgroups()[0].getCpuNs(), cpu);
}

TEST_F(StatsTest, SaysALimit) {
  const Busy busy(mode_);
  const char* file = mode_ == base::CgroupMode::kV2 ? "/memory.max" : "/memory.limit_in_bytes";
  const std::string place =
      absl::StrCat(mode_ == base::CgroupMode::kV2 ? "" : "memory", busy.path(), file);
  ASSERT_TRUE(
      base::WriteKernelFile(busy.root(), place[0] == '/' ? place.substr(1) : place, "67108864")
          .ok());
  ASSERT_TRUE(Run({busy.path()}, {}, busy.root()).ok());
  EXPECT_EQ(Result().getCgroups()[0].getMemoryLimit(), 64 << 20);
}

TEST_F(StatsTest, ACgroupThatIsGoneSaysNothing) {
  base::UniqueFd root(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(Run({"/bulkhead-no-such-cgroup", "/"}, {}, root.get()).ok());
  ASSERT_EQ(Result().getCgroups().size(), 2u);
  EXPECT_EQ(Result().getCgroups()[0].getCpuNs(), -1);
  EXPECT_EQ(Result().getCgroups()[0].getMemoryBytes(), -1);
  EXPECT_GT(Result().getCgroups()[1].getCpuNs(), 0) << "but others are read";
}

TEST_F(StatsTest, OpensListsOfProcesses) {
  const Busy busy(mode_);
  capnp::MallocMessageBuilder in, out;
  auto job = in.initRoot<schema::StatsJob>();
  job.setCgroupMode(SchemaMode());
  auto list = job.initProcessesOf(2);
  list.set(0, "/bulkhead-no-such-cgroup");
  list.set(1, busy.path());
  auto result = out.initRoot<schema::StatsResult>();
  const worker::JobResult opened = RunStatsJob(job, {}, busy.root(), result);
  ASSERT_TRUE(ipc::ReadStatus(result.asReader().getStatus()).ok());
  ASSERT_EQ(result.getOpened().size(), 1u);
  EXPECT_EQ(result.getOpened()[0], 1u) << "the other is not there";
  ASSERT_EQ(opened.fds.size(), 1u);
  EXPECT_EQ(base::ReadAll(opened.fds[0].get(), 4096).value_or(""),
            absl::StrCat(busy.child(), "\n"));
  EXPECT_EQ(fcntl(opened.fds[0].get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  list.set(0, "/a/../b");
  RunStatsJob(job, {}, busy.root(), result);
  EXPECT_TRUE(absl::IsInvalidArgument(ipc::ReadStatus(result.asReader().getStatus())));
}

TEST_F(StatsTest, RefusesWhatIsNoPathOfACgroup) {
  base::UniqueFd root(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const char* path : {"", "relative", "/a/../../etc", "//a"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Run({path}, {}, root.get()))) << path;
  }
}

TEST_F(StatsTest, ReadsInterfacesOfTheSocketsNamespace) {
  // In a child: the namespace is for good.
  base::FdPair pair = *base::MakeSocketPair(SOCK_STREAM);
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0) _exit(1);
    if (system("ip link add vtest0 type veth peer name vtest1 && ip link set vtest0 up && "
               "ip link set vtest1 up") != 0) {
      _exit(2);
    }
    base::UniqueFd inside(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    capnp::MallocMessageBuilder empty;
    empty.initRoot<schema::StatsJob>();
    _exit(
        ipc::Send(pair.second.get(), empty, {inside.get()}, base::Deadline::After(absl::Seconds(5)))
                .ok()
            ? 0
            : 3);
  }
  auto got =
      ipc::Receive(pair.first.get(), {.max_fds = 1}, base::Deadline::After(absl::Seconds(10)));
  int status = -1;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(got.ok()) << got.status();
  base::UniqueFd root(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 2; ++i) {  // the socket serves more than once
    std::vector<base::UniqueFd> sockets;
    sockets.push_back(*base::Duplicate(got->fds()[0].get()));
    sockets.push_back(*base::Duplicate(pair.first.get()));  // no such socket: says nothing
    ASSERT_TRUE(Run({}, std::move(sockets), root.get()).ok());
    ASSERT_EQ(Result().getNetworks().size(), 2u);
    const auto interfaces = Result().getNetworks()[0].getInterfaces();
    std::vector<std::string> names;
    for (const auto one : interfaces) names.push_back(one.getName());
    EXPECT_THAT(names, testing::UnorderedElementsAre("vtest0", "vtest1"));
    EXPECT_EQ(Result().getNetworks()[1].getInterfaces().size(), 0u);
  }
}

TEST(Pressure, IsReadAsTheKernelWritesIt) {
  capnp::MallocMessageBuilder message;
  auto pressure = message.initRoot<schema::Pressure>();
  ParsePressure(
      "some avg10=1.50 avg60=0.25 avg300=0.00 total=123456\n"
      "full avg10=0.50 avg60=0.00 avg300=0.00 total=999\n",
      pressure);
  const auto read = pressure.asReader();
  EXPECT_TRUE(read.getKnown());
  EXPECT_EQ(read.getSome().getTotalUs(), 123456u);
  EXPECT_DOUBLE_EQ(read.getSome().getAvg10(), 1.5);
  EXPECT_DOUBLE_EQ(read.getSome().getAvg60(), 0.25);
  EXPECT_EQ(read.getFull().getTotalUs(), 999u);
}

TEST(Pressure, OfAKernelWithoutItIsNotKnown) {
  capnp::MallocMessageBuilder message;
  auto pressure = message.initRoot<schema::Pressure>();
  ParsePressure("", pressure);
  EXPECT_FALSE(pressure.asReader().getKnown());
}

}  // namespace
}  // namespace bulkhead::stats
