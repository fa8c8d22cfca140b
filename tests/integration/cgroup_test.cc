// Pods' and containers' cgroups, and new limits for both. What the files are called and where they
// are differs between cgroup v1 and v2 and with systemd; that the limits are there does not.
#include "base/cgroup.h"

#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using Runtime = tools::CriClient::Runtime;

constexpr int64_t kMiB = 1 << 20;

bool IsV2() { return *base::DetectCgroupMode() == base::CgroupMode::kV2; }

// The directory of a cgroup in one controller's hierarchy.
std::string Directory(const std::string& controller, const std::string& path) {
  return absl::StrCat(base::kCgroupMount, IsV2() ? "" : "/" + controller, path);
}

std::string Line(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return stream ? line : "no " + file;
}

std::string MemoryLimit(const std::string& path) {
  return Line(Directory("memory", path) + (IsV2() ? "/memory.max" : "/memory.limit_in_bytes"));
}

// "QUOTA PERIOD" in both.
std::string Quota(const std::string& path) {
  if (IsV2()) return Line(Directory("cpu", path) + "/cpu.max");
  return absl::StrCat(Line(Directory("cpu", path) + "/cpu.cfs_quota_us"), " ",
                      Line(Directory("cpu", path) + "/cpu.cfs_period_us"));
}

std::string Shares(const std::string& path) {
  return Line(Directory("cpu", path) + (IsV2() ? "/cpu.weight" : "/cpu.shares"));
}

bool Exists(const std::string& path) {
  struct stat st;
  return stat(Directory("memory", path).c_str(), &st) == 0;
}

// The slice that a parent "a.slice" holds for a pod that brings none of its own.
std::string PodPath(const std::string& pod) {
  if (!SystemdDriver()) return absl::StrCat(TestCgroupPath(), "/", pod);
  const std::string slice = TestCgroup().substr(0, TestCgroup().rfind('.'));
  return absl::StrCat(TestCgroupPath(), "/", slice, "-pod", pod, ".slice");
}

std::string ContainerPath(const std::string& pod_path, const std::string& container) {
  if (!SystemdDriver()) return absl::StrCat(pod_path, "/", container);
  return absl::StrCat(pod_path, "/bulkhead-", container, ".scope");
}

class Cgroup : public NodeTest {
 protected:
  cri::RunPodSandboxRequest LimitedPod() {
    cri::RunPodSandboxRequest request = PodRequest("pod");
    cri::LinuxPodSandboxConfig& config = *request.mutable_config()->mutable_linux();
    config.mutable_resources()->set_memory_limit_in_bytes(96 * kMiB);
    config.mutable_resources()->set_cpu_shares(1024);
    config.mutable_resources()->set_cpu_period(100000);
    config.mutable_resources()->set_cpu_quota(150000);
    config.mutable_overhead()->set_memory_limit_in_bytes(4 * kMiB);
    return request;
  }
  cri::CreateContainerRequest LimitedContainer(const std::string& pod) {
    cri::CreateContainerRequest request =
        ContainerRequest(pod, "main", {"/bin/sh", "-c", "while :; do sleep 1; done"});
    cri::LinuxContainerResources& resources =
        *request.mutable_config()->mutable_linux()->mutable_resources();
    resources.set_memory_limit_in_bytes(64 * kMiB);
    resources.set_cpu_shares(512);
    resources.set_cpu_period(100000);
    resources.set_cpu_quota(50000);
    resources.set_oom_score_adj(900);
    return request;
  }
  absl::Status Update(const std::string& container, const cri::LinuxContainerResources& asked) {
    cri::UpdateContainerResourcesRequest request;
    request.set_container_id(container);
    *request.mutable_linux() = asked;
    return cri().Call(&Runtime::UpdateContainerResources, request, kPatience).status();
  }
  absl::Status UpdatePod(const std::string& pod, int64_t memory, int64_t overhead) {
    cri::UpdatePodSandboxResourcesRequest request;
    request.set_pod_sandbox_id(pod);
    request.mutable_resources()->set_memory_limit_in_bytes(memory);
    request.mutable_overhead()->set_memory_limit_in_bytes(overhead);
    return cri().Call(&Runtime::UpdatePodSandboxResources, request, kPatience).status();
  }
};

TEST_F(Cgroup, PodHasItsOwnWithTheLimitsOfAllContainersAndTheOverhead) {
  const auto pod = RunPod(LimitedPod());
  ASSERT_THAT(pod, IsOk());
  const std::string path = PodPath(*pod);
  EXPECT_EQ(MemoryLimit(path), absl::StrCat(100 * kMiB));
  EXPECT_EQ(Quota(path), "150000 100000");
  EXPECT_EQ(Shares(path), IsV2() ? "39" : "1024");
  const auto container = Create(LimitedContainer(*pod));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  EXPECT_EQ(MemoryLimit(ContainerPath(path, *container)), absl::StrCat(64 * kMiB));
  EXPECT_EQ(MemoryLimit(path), absl::StrCat(100 * kMiB));
  RemoveAll();
  EXPECT_FALSE(Exists(path));
  EXPECT_TRUE(SystemdDriver() || !Exists(TestCgroupPath())) << "an empty parent stays";
}

TEST_F(Cgroup, WithoutAParentThereIsADefaultOne) {
  cri::RunPodSandboxRequest request = LimitedPod();
  request.mutable_config()->mutable_linux()->clear_cgroup_parent();
  const auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  const std::string path = SystemdDriver()
                               ? absl::StrCat("/bulkhead.slice/bulkhead-pod", *pod, ".slice")
                               : absl::StrCat("/bulkhead-pods/", *pod);
  EXPECT_EQ(MemoryLimit(path), absl::StrCat(100 * kMiB));
  RemoveAll();
  EXPECT_FALSE(Exists(path));
}

// kubelet's layout: the parent is the pod's own, named by its uid. Nobody made it here, so it is
// made.
TEST_F(Cgroup, KubeletsParentHoldsTheContainersThemselves) {
  cri::RunPodSandboxRequest request = LimitedPod();
  const std::string uid = "0aa1-" + request.config().metadata().uid();
  request.mutable_config()->mutable_metadata()->set_uid(uid);
  std::string parent = absl::StrCat(TestCgroupPath(), "/burstable/pod", uid);
  if (SystemdDriver()) {
    const std::string top = TestCgroup().substr(0, TestCgroup().rfind('.'));
    parent = absl::StrCat("/", top, ".slice/", top, "-burstable.slice/", top, "-burstable-pod",
                          absl::StrReplaceAll(uid, {{"-", "_"}}), ".slice");
  }
  request.mutable_config()->mutable_linux()->set_cgroup_parent(parent);
  const auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  EXPECT_EQ(MemoryLimit(parent), absl::StrCat(100 * kMiB));
  const auto container = Create(LimitedContainer(*pod));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  EXPECT_EQ(MemoryLimit(ContainerPath(parent, *container)), absl::StrCat(64 * kMiB));
  RemoveAll();
  EXPECT_FALSE(Exists(parent));
  if (SystemdDriver()) {
    const std::string top = TestCgroup().substr(0, TestCgroup().rfind('.'));
    RunProgram({"/usr/bin/systemctl", "stop", top + "-burstable.slice"}, absl::Seconds(20));
  }
}

// It is kubelet who made it: limits and removal are kubelet's.
TEST_F(Cgroup, OneThatIsThereKeepsItsLimitsAndStays) {
  if (SystemdDriver()) GTEST_SKIP() << "systemd makes the cgroups: see the next case";
  cri::RunPodSandboxRequest request = LimitedPod();
  const std::string parent =
      absl::StrCat(TestCgroupPath(), "/pod", request.config().metadata().uid());
  request.mutable_config()->mutable_linux()->set_cgroup_parent(parent);
  for (const std::string& path : {TestCgroupPath(), parent}) {
    ASSERT_EQ(mkdir(Directory("memory", path).c_str(), 0755), 0);
    if (!IsV2()) continue;
    const std::string above = path.substr(0, path.rfind('/'));
    std::ofstream(absl::StrCat(base::kCgroupMount, above, "/cgroup.subtree_control")) << "+memory";
  }
  const std::string before = MemoryLimit(parent);
  const auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  EXPECT_EQ(MemoryLimit(parent), before);
  EXPECT_THAT(UpdatePod(*pod, 50 * kMiB, 0), IsOk());
  EXPECT_EQ(MemoryLimit(parent), before);
  RemoveAll();
  EXPECT_TRUE(Exists(parent));
  for (const std::string& path : {parent, TestCgroupPath()}) {
    EXPECT_EQ(rmdir(Directory("memory", path).c_str()), 0);
  }
}

TEST_F(Cgroup, ASliceThatIsThereKeepsItsLimitsAndStays) {
  if (!SystemdDriver()) GTEST_SKIP() << "systemd does not make the cgroups here";
  cri::RunPodSandboxRequest request = LimitedPod();
  const std::string top = TestCgroup().substr(0, TestCgroup().rfind('.'));
  const std::string slice = absl::StrCat(top, "-pod", request.config().metadata().uid(), ".slice");
  const std::string path = absl::StrCat(TestCgroupPath(), "/", slice);
  request.mutable_config()->mutable_linux()->set_cgroup_parent(path);
  const Output started = RunProgram({"/usr/bin/systemd-run", "--quiet", "--unit=" + top,
                                     "--slice=" + slice, "/bin/sleep", "1000"});
  ASSERT_EQ(started.code, 0) << started.err;
  const std::string before = MemoryLimit(path);
  const auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  EXPECT_EQ(MemoryLimit(path), before);
  EXPECT_THAT(UpdatePod(*pod, 50 * kMiB, 0), IsOk());
  EXPECT_EQ(MemoryLimit(path), before);
  RemoveAll();
  EXPECT_TRUE(Exists(path));
  EXPECT_EQ(RunProgram({"/usr/bin/systemctl", "stop", top + ".service", slice}).code, 0);
}

TEST_F(Cgroup, V27ParentsThatAreNoneAreRefused) {
  for (const char* parent : {"a/../b", "../..", "no-slice", "\xc3\xa9.slice", "/a/\n"}) {
    cri::RunPodSandboxRequest request = PodRequest("pod");
    request.mutable_config()->mutable_linux()->set_cgroup_parent(parent);
    const absl::Status refused = RunPod(request).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << parent;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("config.linux.cgroup_parent")) << parent;
  }
}

TEST_F(Cgroup, PodLimitsChange) {
  const auto pod = RunPod(LimitedPod());
  ASSERT_THAT(pod, IsOk());
  EXPECT_THAT(UpdatePod(*pod, 120 * kMiB, 0), IsOk());
  EXPECT_EQ(MemoryLimit(PodPath(*pod)), absl::StrCat(124 * kMiB));
  EXPECT_EQ(Quota(PodPath(*pod)), "150000 100000") << "unset ones stay";
  EXPECT_THAT(UpdatePod(*pod, 0, 8 * kMiB), IsOk());
  EXPECT_EQ(MemoryLimit(PodPath(*pod)), absl::StrCat(128 * kMiB));
  EXPECT_THAT(StopPod(*pod), IsOk());
  EXPECT_EQ(UpdatePod(*pod, 1 * kMiB, 0).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(UpdatePod(std::string(64, 'f'), 1, 0).code(), absl::StatusCode::kNotFound);
  RemoveAll();
}

TEST_F(Cgroup, ContainerLimitsChange) {
  const auto pod = RunPod(LimitedPod());
  ASSERT_THAT(pod, IsOk());
  const auto container = Create(LimitedContainer(*pod));
  ASSERT_THAT(container, IsOk());
  const std::string path = ContainerPath(PodPath(*pod), *container);
  cri::LinuxContainerResources asked;
  asked.set_memory_limit_in_bytes(80 * kMiB);
  EXPECT_THAT(Update(*container, asked), IsOk()) << "before the start";
  EXPECT_EQ(MemoryLimit(path), absl::StrCat(80 * kMiB));
  ASSERT_THAT(Start(*container), IsOk());
  asked.set_memory_limit_in_bytes(48 * kMiB);
  asked.set_cpu_quota(30000);
  asked.set_cpu_shares(256);
  asked.set_cpuset_cpus("0");
  asked.set_oom_score_adj(-5);
  ASSERT_THAT(Update(*container, asked), IsOk());
  EXPECT_EQ(MemoryLimit(path), absl::StrCat(48 * kMiB));
  EXPECT_EQ(Quota(path), "30000 100000");
  EXPECT_EQ(Shares(path), IsV2() ? "10" : "256");
  EXPECT_EQ(Line(Directory("cpuset", path) + "/cpuset.cpus"), "0");
  const cri::LinuxContainerResources shown = Status(*container)->resources().linux();
  EXPECT_EQ(shown.memory_limit_in_bytes(), 48 * kMiB);
  EXPECT_EQ(shown.cpu_quota(), 30000);
  EXPECT_EQ(shown.cpu_period(), 100000);
  EXPECT_EQ(shown.cpu_shares(), 256);
  EXPECT_EQ(shown.cpuset_cpus(), "0");
  EXPECT_EQ(shown.oom_score_adj(), 900) << "of the process that runs";
  RemoveAll();
}

TEST_F(Cgroup, LimitsChangeWholeOrNotAtAll) {
  const auto pod = RunPod(LimitedPod());
  const auto container = Create(LimitedContainer(*pod));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  const std::string path = ContainerPath(PodPath(*pod), *container);
  cri::LinuxContainerResources asked;
  asked.set_memory_limit_in_bytes(72 * kMiB);
  asked.set_cpuset_cpus("4096");
  const absl::Status refused = Update(*container, asked);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("linux.cpuset_cpus"));
  EXPECT_EQ(MemoryLimit(path), absl::StrCat(64 * kMiB));
  EXPECT_EQ(Status(*container)->resources().linux().memory_limit_in_bytes(), 64 * kMiB);

  asked.Clear();
  (*asked.mutable_unified())["memory.high"] = "60000000";
  const absl::Status files = Update(*container, asked);
  EXPECT_EQ(files.ok(), IsV2()) << files;
  if (!IsV2()) {
    EXPECT_THAT(std::string(files.message()), HasSubstr("linux.unified"));
  }
  (*asked.mutable_unified())["cgroup.procs"] = "1";
  EXPECT_EQ(Update(*container, asked).code(), absl::StatusCode::kInvalidArgument);
  asked.Clear();
  asked.set_cpu_shares(-1);
  EXPECT_EQ(Update(*container, asked).code(), absl::StatusCode::kInvalidArgument);
  RemoveAll();
}

TEST_F(Cgroup, MemoryInUseIsNotTakenAway) {
  const auto pod = RunPod(LimitedPod());
  cri::CreateContainerRequest request = LimitedContainer(*pod);
  request.mutable_config()->clear_command();
  for (const char* word :
       {"/bin/sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=40; sleep 1000"}) {
    request.mutable_config()->add_command(word);
  }
  const auto container = Create(request);
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  EXPECT_TRUE(Eventually(kPatience, [&] {
    const auto size = Exec(*container, {"/bin/sh", "-c", "stat -c %s /dev/shm/x"});
    return size.ok() && size->stdout() == absl::StrCat(40 * kMiB, "\n");
  }));
  cri::LinuxContainerResources asked;
  asked.set_memory_limit_in_bytes(20 * kMiB);
  const absl::Status refused = Update(*container, asked);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("linux.memory_limit_in_bytes"));
  EXPECT_EQ(Status(*container)->state(), cri::CONTAINER_RUNNING);
  EXPECT_EQ(MemoryLimit(ContainerPath(PodPath(*pod), *container)), absl::StrCat(64 * kMiB));
  ASSERT_THAT(Stop(*container, 0), IsOk());
  EXPECT_EQ(Update(*container, asked).code(), absl::StatusCode::kFailedPrecondition) << "it ended";
  RemoveAll();
}

TEST_F(Cgroup, NewLimitsOutliveARestart) {
  const auto pod = RunPod(LimitedPod());
  const auto container = Create(LimitedContainer(*pod));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  cri::LinuxContainerResources asked;
  asked.set_memory_limit_in_bytes(72 * kMiB);
  ASSERT_THAT(Update(*container, asked), IsOk());
  ASSERT_THAT(node().Down(), IsOk());
  ASSERT_THAT(node().Up(), IsOk());
  EXPECT_EQ(Status(*container)->resources().linux().memory_limit_in_bytes(), 72 * kMiB);
  EXPECT_EQ(MemoryLimit(ContainerPath(PodPath(*pod), *container)), absl::StrCat(72 * kMiB));
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
