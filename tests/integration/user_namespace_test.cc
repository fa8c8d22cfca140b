// Pods with a user namespace of their own.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class UserNamespace : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.cni = true;
    options.extra_config = "user_namespaces = {first_id = 300000, count = 131072}";
    return options;
  }
  cri::RunPodSandboxRequest MappedPod(const std::string& name, cri::NamespaceMode network,
                                      uint32_t host = 0) {
    auto request = PodRequest(name);
    auto* options = request.mutable_config()
                        ->mutable_linux()
                        ->mutable_security_context()
                        ->mutable_namespace_options();
    options->set_network(network);
    options->mutable_userns_options()->set_mode(cri::POD);
    if (host == 0) return request;
    for (cri::IDMapping* mapping : {options->mutable_userns_options()->add_uids(),
                                    options->mutable_userns_options()->add_gids()}) {
      mapping->set_host_id(host);
      mapping->set_length(65536);
    }
    return request;
  }
  std::string Shell(const std::string& pod, const std::string& command) {
    auto output = OutputOf(ContainerRequest(pod, "main", {"/bin/sh", "-c", command}));
    EXPECT_THAT(output, IsOk());
    return output.value_or("");
  }
};

constexpr char kLook[] =
    "tr -s ' ' < /proc/self/uid_map; id -u; stat -c %u:%g / /bin/sh /dev/shm; "
    "touch /made /dev/shm/made && stat -c %u /made; chown 1000 /made && stat -c %u /made";
constexpr char kSeen[] = "0\n0:0\n0:0\n0:0\n0\n1000\n";

TEST_F(UserNamespace, RootOfAPodOnTheNodesNetworkIsNobodyOnTheNode) {
  auto pod = RunPod(MappedPod("pod", cri::NODE, 200000));
  ASSERT_THAT(pod, IsOk());
  EXPECT_EQ(Shell(*pod, kLook), std::string(" 0 200000 65536\n") + kSeen);
  EXPECT_EQ(PodStatus(*pod)->linux().namespaces().options().userns_options().uids(0).host_id(),
            200000u);
  RemoveAll();
}

TEST_F(UserNamespace, OwnsThePodsNetwork) {
  auto request = MappedPod("pod", cri::POD, 200000);
  (*request.mutable_config()
        ->mutable_linux()
        ->mutable_sysctls())["net.ipv4.ip_unprivileged_port_start"] = "77";
  (*request.mutable_config()->mutable_linux()->mutable_sysctls())["kernel.shm_rmid_forced"] = "1";
  auto pod = RunPod(request);
  ASSERT_THAT(pod, IsOk());
  EXPECT_THAT(PodStatus(*pod)->network().ip(), StartsWith("10.123.45."));
  auto container = ContainerRequest(
      *pod, "main",
      {"/bin/sh", "-c",
       "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced; "
       "ip addr add 10.9.9.9/32 dev lo && ip -o addr show lo"});
  container.mutable_config()
      ->mutable_linux()
      ->mutable_security_context()
      ->mutable_capabilities()
      ->add_add_capabilities("NET_ADMIN");
  auto output = OutputOf(container);
  ASSERT_THAT(output, IsOk());
  EXPECT_THAT(*output, StartsWith("77\n1\n"));
  EXPECT_THAT(*output, HasSubstr("10.9.9.9")) << "its root has rights over it";
  RemoveAll();
}

TEST_F(UserNamespace, VolumesAreSeenThroughIt) {
  const std::string volume = node().directory() + "/volume";
  std::filesystem::create_directory(volume);
  std::ofstream(volume + "/file") << "x";
  auto pod = RunPod(MappedPod("pod", cri::NODE, 200000));
  ASSERT_THAT(pod, IsOk());
  auto container = ContainerRequest(
      *pod, "main", {"/bin/sh", "-c", "stat -c %u /mapped/file /plain/file; touch /mapped/made"});
  for (const char* where : {"/mapped", "/plain"}) {
    cri::Mount* mount = container.mutable_config()->add_mounts();
    mount->set_host_path(volume);
    mount->set_container_path(where);
    if (where == std::string("/plain")) continue;
    for (cri::IDMapping* mapping : {mount->add_uidmappings(), mount->add_gidmappings()}) {
      mapping->set_host_id(200000);
      mapping->set_length(65536);
    }
  }
  auto output = OutputOf(container);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "0\n65534\n");
  struct stat st = {};
  EXPECT_EQ(stat((volume + "/made").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 0u) << "as the mapping says";
  // Another mapping than the pod's is refused.
  container.mutable_config()->mutable_metadata()->set_name("other");
  container.mutable_config()->mutable_mounts(0)->mutable_uidmappings(0)->set_host_id(400000);
  container.mutable_config()->mutable_mounts(0)->mutable_gidmappings(0)->set_host_id(400000);
  EXPECT_THAT(std::string(Create(container).status().message()),
              HasSubstr("config.mounts[0].uidMappings"));
  RemoveAll();
}

TEST_F(UserNamespace, ImagesAndTheImagesOwnVolumesAreThePods) {
  constexpr char kVolumes[] = "localhost/volumes:1";
  const Output imported =
      node().Import(kVolumes, {"--file", "data/file=x", "--volume", "/data", "--volume", "/empty"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  TakeBaseline();
  auto pod = RunPod(MappedPod("pod", cri::NODE, 200000));
  ASSERT_THAT(pod, IsOk());
  auto container =
      ContainerRequest(*pod, "main",
                       {"/bin/sh", "-c",
                        "stat -c %u:%g /image /image/bin/sh /data /data/file /empty; "
                        "touch /data/made /empty/made && stat -c %u /data/made /empty/made"});
  container.mutable_config()->mutable_image()->set_image(kVolumes);
  cri::Mount* mount = container.mutable_config()->add_mounts();
  mount->mutable_image()->set_image(kVolumes);
  mount->set_container_path("/image");
  mount->set_readonly(true);
  auto output = OutputOf(container);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "0:0\n0:0\n0:0\n0:0\n0:0\n0\n0\n");
  // A pod without one sees the same layers with the node's owners.
  auto plain = RunPod(PodRequest("plain"));
  ASSERT_THAT(plain, IsOk());
  output =
      OutputOf(ContainerRequest(*plain, "other", {"/bin/sh", "-c", "stat -c %u:%g / /bin/sh"}));
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "0:0\n0:0\n");
  RemoveAll();
}

// What a shared PID namespace takes: containers with what it is made of, and its init.
class SharedPids : public UserNamespace {
 protected:
  void RunSharedPod(cri::NamespaceMode network) {
    auto request = MappedPod("pod", network, 200000);
    request.mutable_config()
        ->mutable_linux()
        ->mutable_security_context()
        ->mutable_namespace_options()
        ->set_pid(cri::POD);
    auto pod = RunPod(request);
    ASSERT_THAT(pod, IsOk());
    pod_ = *pod;
  }
  std::string StartSleeper(const std::string& name, const std::string& seconds) {
    auto container = Create(ContainerRequest(pod_, name, {"/bin/sleep", seconds}));
    EXPECT_THAT(container, IsOk());
    if (!container.ok()) return "";
    EXPECT_THAT(Start(*container), IsOk());
    return *container;
  }
  // Standard output of a command in a container.
  std::string Ask(const std::string& container, const std::string& command) {
    auto answer = Exec(container, {"/bin/sh", "-c", command});
    EXPECT_THAT(answer, IsOk());
    if (!answer.ok()) return "";
    EXPECT_EQ(answer->stderr(), "") << command;
    return answer->stdout();
  }
  void KillAndAwait(const std::string& daemon) {
    const pid_t before = node().Daemon(daemon);
    ASSERT_EQ(kill(before, SIGKILL), 0);
    EXPECT_TRUE(Eventually(kPatience,
                           [&] {
                             const pid_t now = node().Daemon(daemon);
                             return now > 0 && now != before && PodStatus(pod_).ok();
                           }))
        << daemon << " did not come back";
  }
  // Both see both, and process 1 is ours and one of the pod's ids.
  void ExpectShared(const std::string& one, const std::string& other) {
    constexpr char kSleepers[] =
        "exec 2> /dev/null; "  // some end while it looks
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done | grep '^/bin/sleep' | "
        "sort";
    EXPECT_EQ(Ask(one, kSleepers), "/bin/sleep 1001 \n/bin/sleep 1002 \n");
    EXPECT_EQ(Ask(other, kSleepers), "/bin/sleep 1001 \n/bin/sleep 1002 \n");
    EXPECT_EQ(Ask(one, "cat /proc/1/comm; grep -E '^(Uid|CapEff|CapBnd|Seccomp):' /proc/1/status"),
              "bh-init\nUid:\t59113\t59113\t59113\t59113\nCapEff:\t0000000000000000\n"
              "CapBnd:\t0000000000000000\nSeccomp:\t2\n");
    EXPECT_EQ(Ask(one, "id -u; tr -s ' ' < /proc/self/uid_map"), "0\n 0 200000 65536\n");
  }
  std::string pod_;
};

TEST_F(SharedPids, BelongToThePodsUserNamespace) {
  for (cri::NamespaceMode network : {cri::NODE, cri::POD}) {
    SCOPED_TRACE(network);
    RunSharedPod(network);
    const std::string one = StartSleeper("one", "1001"), other = StartSleeper("other", "1002");
    ExpectShared(one, other);
    // One may signal the other, and not process 1, which goes on to reap what nobody waits for.
    EXPECT_EQ(Ask(one,
                  "exec 2> /dev/null; kill -9 1; (sleep 0 &); for p in /proc/[0-9]*; do "
                  "case $(tr '\\0' ' ' < $p/cmdline) in '/bin/sleep 1002 ') kill ${p##*/};; esac; "
                  "done; sleep 1; cat /proc/1/comm"),
              "bh-init\n");
    auto ended = AwaitExit(other);
    ASSERT_THAT(ended, IsOk());
    EXPECT_EQ(ended->exit_code(), 143);
    EXPECT_EQ(Ask(one, "grep -sl '^State:.Z' /proc/[0-9]*/status; true"), "");
    RemoveAll();
  }
}

TEST_F(SharedPids, OutliveTheDaemons) {
  RunSharedPod(cri::NODE);
  const std::string one = StartSleeper("one", "1001");
  KillAndAwait("broker");
  const std::string other = StartSleeper("other", "1002");
  ExpectShared(one, other);
  KillAndAwait("spawner");
  ASSERT_THAT(node().Down(), IsOk());
  ASSERT_THAT(node().Up(), IsOk());
  ExpectShared(one, other);
  EXPECT_EQ(Shell(pod_, "cat /proc/1/comm"), "bh-init\n");
  // Its end is the end of all in it.
  EXPECT_THAT(StopPod(pod_), IsOk());
  EXPECT_EQ(Status(one)->state(), cri::CONTAINER_EXITED);
  RemoveAll();
}

TEST_F(SharedPids, ARangeWithoutInitsIdIsRefused) {
  auto request = MappedPod("pod", cri::NODE, 200000);
  auto* options = request.mutable_config()
                      ->mutable_linux()
                      ->mutable_security_context()
                      ->mutable_namespace_options();
  options->set_pid(cri::POD);
  options->mutable_userns_options()->mutable_uids(0)->set_length(1000);
  options->mutable_userns_options()->mutable_gids(0)->set_length(1000);
  const absl::Status refused = RunPod(request).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("userns_options.uids"));
}

TEST_F(UserNamespace, NoTwoPodsShareIdsAlsoOverARestart) {
  auto first = RunPod(MappedPod("first", cri::NODE));
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(node().Down(), IsOk());
  ASSERT_THAT(node().Up(), IsOk());
  auto second = RunPod(MappedPod("second", cri::NODE));
  ASSERT_THAT(second, IsOk());
  auto ids = [&](const std::string& pod) {
    return PodStatus(pod)->linux().namespaces().options().userns_options().uids(0).host_id();
  };
  EXPECT_EQ(ids(*first), 300000u);
  EXPECT_EQ(ids(*second), 365536u);
  EXPECT_EQ(RunPod(MappedPod("third", cri::NODE)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RunPod(MappedPod("greedy", cri::NODE, 310000)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Shell(*first, "cut -c1-40 /proc/self/uid_map | tr -s ' '"), " 0 300000 65536\n");
  RemoveAll();
  auto again = RunPod(MappedPod("again", cri::NODE));
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(ids(*again), 300000u);
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
