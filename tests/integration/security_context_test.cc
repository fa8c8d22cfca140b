// What a container may do, and what the author of a pod or an image cannot make of it: past attacks
// on runtimes, tried on real containers.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "security/workload/defaults.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using Runtime = tools::CriClient::Runtime;

std::string ReadText(const std::string& path) {
  return base::ReadFile(path, 1 << 20).value_or("(unreadable)");
}

uint64_t NodeBounding() {
  uint64_t mask = 0;
  for (int i = 0; i <= CAP_LAST_CAP; ++i) {
    if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) mask |= uint64_t{1} << i;
  }
  return mask;
}

class SecurityContext : public NodeTest {
 protected:
  cri::CreateContainerRequest Script(const std::string& name, const std::string& script,
                                     const char* image = kImage) {
    if (pod_.empty()) pod_ = RunPod(PodRequest("pod")).value_or("");
    auto request = ContainerRequest(pod_, name, {"/bin/sh", "-c", script});
    request.mutable_config()->mutable_image()->set_image(image);
    return request;
  }
  static cri::LinuxContainerSecurityContext* Context(cri::CreateContainerRequest& request) {
    return request.mutable_config()->mutable_linux()->mutable_security_context();
  }
  // The only config.json of the node's containers.
  std::string ConfigJson() {
    for (const auto& entry : fs::recursive_directory_iterator(
             node().root_dir() + "/crun", fs::directory_options::skip_permission_denied)) {
      if (entry.path().filename() == "config.json") return ReadText(entry.path());
    }
    return "";
  }

  std::string pod_;
};

TEST_F(SecurityContext, V16V17NoLabelAndNoAnnotationIsAnOrder) {
  const std::string canary = node().directory() + "/canary";
  ImportImage("localhost/labels:1",
              {"--label", "containerd.io/restart.loguri=binary:///bin/touch?" + canary, "--label",
               "io.cri-containerd.kind=sandbox", "--label", "io.kubernetes.pod.uid=other",
               "--label", "bulkhead.runtime=other"});
  auto pod = PodRequest("pod");
  auto& annotations = *pod.mutable_config()->mutable_annotations();
  for (const char* key :
       {"run.oci.hooks.stdout", "run.oci.hooks.stderr", "run.oci.handler",
        "run.oci.seccomp.plugins", "run.oci.pidfd_receiver", "run.oci.keep_original_groups",
        "org.criu.config", "org.systemd.property.ExecStart", "module.wasm.image/variant"}) {
    annotations[key] = canary;
  }
  pod_ = RunPod(pod).value_or("");
  auto request = Script("main", "exec sleep 1000", "localhost/labels:1");
  *request.mutable_config()->mutable_annotations() = annotations;
  (*request.mutable_config()->mutable_labels())["io.kubernetes.pod.uid"] = "mine";
  auto id = Create(request);
  ASSERT_THAT(id, IsOk());
  const std::string config = ConfigJson();
  EXPECT_THAT(config, HasSubstr("ociVersion"));
  EXPECT_THAT(config, Not(HasSubstr("annotations")));
  EXPECT_THAT(config, Not(HasSubstr("canary")));
  ASSERT_THAT(Start(*id), IsOk());
  auto status = Status(*id);
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(status->labels_size(), 1);
  EXPECT_EQ(status->labels().at("io.kubernetes.pod.uid"), "mine");
  EXPECT_FALSE(fs::exists(canary));
  RemoveAll();
}

TEST_F(SecurityContext, V18V21UsersAndGroupsAreWhatIsAskedFor) {
  const char* users[] = {"4294967296", "-1", "0x0", "1000:4294967296", "00", "nobody-here"};
  ImportImage("localhost/users:ok", {"--user", "user"});
  auto image_user = Script("image", "id -u; id -G", "localhost/users:ok");
  EXPECT_EQ(OutputOf(image_user).value_or(""), "1000\n1000 2000\n");
  auto strict = Script("strict", "id -G", "localhost/users:ok");
  Context(strict)->set_supplemental_groups_policy(cri::Strict);
  Context(strict)->add_supplemental_groups(3000);
  EXPECT_EQ(OutputOf(strict).value_or(""), "1000 3000\n");
  auto merge = Script("merge", "id -G", "localhost/users:ok");
  Context(merge)->add_supplemental_groups(3000);
  EXPECT_EQ(OutputOf(merge).value_or(""), "1000 2000 3000\n");
  // A file that is closed to a group stays closed to who has that group, and to nobody else.
  const std::string file = node().directory() + "/closed";
  std::ofstream(file) << "open";
  ASSERT_EQ(chown(file.c_str(), 0, 2000), 0);
  ASSERT_EQ(chmod(file.c_str(), 0604), 0);
  for (auto policy : {cri::Merge, cri::Strict}) {
    auto negative = Script(absl::StrCat("negative", policy), "cat /f 2>/dev/null || echo closed",
                           "localhost/users:ok");
    Context(negative)->set_supplemental_groups_policy(policy);
    auto* mount = negative.mutable_config()->add_mounts();
    mount->set_host_path(file);
    mount->set_container_path("/f");
    EXPECT_EQ(OutputOf(negative).value_or(""), policy == cri::Merge ? "closed\n" : "open");
  }
  for (size_t i = 0; i < std::size(users); ++i) {
    const std::string name = absl::StrCat("localhost/users:", i);
    ImportImage(name, {"--user", users[i]});
    auto created = Create(Script(absl::StrCat("bad", i), "id -u", name.c_str()));
    EXPECT_FALSE(created.ok()) << users[i];
  }
  RemoveAll();
}

TEST_F(SecurityContext, V22InheritableAndAmbientAreEmptyUnlessAsked) {
  struct Case {
    uint32_t uid;
    bool drop_all;
    const char* ambient;
  };
  const Case cases[] = {{0, false, ""},
                        {1000, false, ""},
                        {0, true, ""},
                        {1000, true, ""},
                        {1000, true, "NET_BIND_SERVICE"}};
  int number = 0;
  for (const Case& one : cases) {
    auto request = Script(absl::StrCat("c", number++), "exec sleep 1000");
    Context(request)->mutable_run_as_user()->set_value(one.uid);
    auto* capabilities = Context(request)->mutable_capabilities();
    uint64_t wanted = security::DefaultCapabilities();
    if (one.drop_all) {
      capabilities->add_drop_capabilities("ALL");
      wanted = 0;
    }
    uint64_t ambient = 0;
    if (*one.ambient != '\0') {
      capabilities->add_add_ambient_capabilities(one.ambient);
      ambient = uint64_t{1} << CAP_NET_BIND_SERVICE;
    }
    wanted = (wanted | ambient) & NodeBounding();
    auto id = Create(request);
    ASSERT_THAT(id, IsOk());
    ASSERT_THAT(Start(*id), IsOk());
    // Of the first process, and of one that is executed beside it.
    const std::string script =
        "grep Cap /proc/1/status | cut -f2; grep Cap /proc/self/status | cut -f2";
    auto output = Exec(*id, {"/bin/sh", "-c", script});
    ASSERT_THAT(output, IsOk());
    const uint64_t held = one.uid == 0 ? wanted : ambient;
    const std::string expected = absl::StrFormat("%016x\n%016x\n%016x\n%016x\n%016x\n", ambient,
                                                 held, held, wanted, ambient);
    EXPECT_EQ(output->stdout(), expected + expected) << one.uid << one.drop_all << one.ambient;
  }
  RemoveAll();
}

TEST_F(SecurityContext, V24SeccompProfilesOfTheNode) {
  const std::string profile = node().directory() + "/block.json";
  std::ofstream(profile) << R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
      {"names":["chmod","fchmod","fchmodat"],"action":"SCMP_ACT_ERRNO"}]})";
  auto request = Script("main", "exec sleep 1000");
  auto* seccomp = Context(request)->mutable_seccomp();
  seccomp->set_profile_type(cri::SecurityProfile::Localhost);
  seccomp->set_localhost_ref(profile);
  auto id = Create(request);
  ASSERT_THAT(id, IsOk());
  ASSERT_THAT(Start(*id), IsOk());
  auto output = Exec(
      *id, {"/bin/sh", "-c", "grep Seccomp: /proc/1/status /proc/self/status; chmod 700 /tmp"});
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(output->stdout(), "/proc/1/status:Seccomp:\t2\n/proc/self/status:Seccomp:\t2\n");
  EXPECT_THAT(output->stderr(), HasSubstr("not permitted"));

  const std::string empty = node().directory() + "/empty.json";
  const std::string odd = node().directory() + "/odd.json";
  std::ofstream(empty) << "";
  std::ofstream(odd) << R"({"defaultAction":"SCMP_ACT_ALLOW","unknown":1})";
  struct Refusal {
    std::string path;
    absl::StatusCode code;
  };
  const Refusal refusals[] = {
      {"", absl::StatusCode::kInvalidArgument},
      {"block.json", absl::StatusCode::kInvalidArgument},
      {node().directory(), absl::StatusCode::kFailedPrecondition},
      {node().directory() + "/none.json", absl::StatusCode::kNotFound},
      {empty, absl::StatusCode::kFailedPrecondition},
      {odd, absl::StatusCode::kInvalidArgument},
  };
  for (const Refusal& refusal : refusals) {
    auto bad = Script(absl::StrCat("bad", &refusal - refusals), "true");
    Context(bad)->mutable_seccomp()->set_profile_type(cri::SecurityProfile::Localhost);
    Context(bad)->mutable_seccomp()->set_localhost_ref(refusal.path);
    absl::Status status = Create(bad).status();
    EXPECT_EQ(status.code(), refusal.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("seccomp.localhost_ref"));
  }
  RemoveAll();
}

TEST_F(SecurityContext, V26HelpersOnTheNodeSeeNothingOfTheContainersEnvironment) {
  ImportImage("localhost/env:1", {"--env", "LD_PRELOAD=/evil.so", "--env", "PATH=/evil", "--env",
                                  "MARK=of-the-image"});
  auto request = Script("main", "exec /bin/sleep 1000", "localhost/env:1");
  auto* secret = request.mutable_config()->add_envs();
  secret->set_key("SECRET");
  secret->set_value("of-the-pod");
  auto id = Create(request);
  ASSERT_THAT(id, IsOk());
  ASSERT_THAT(Start(*id), IsOk());
  int looked = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const std::string name = ReadText(entry.path().string() + "/comm");
    if (name.rfind("bh-", 0) != 0 && name.rfind("bulkhead", 0) != 0) continue;
    ++looked;
    const std::string environment =
        ReadText(entry.path().string() + "/environ") + ReadText(entry.path().string() + "/cmdline");
    EXPECT_THAT(environment, Not(HasSubstr("of-the-image"))) << name;
    EXPECT_THAT(environment, Not(HasSubstr("of-the-pod"))) << name;
    EXPECT_THAT(environment, Not(HasSubstr("evil"))) << name;
  }
  EXPECT_GE(looked, 4) << "supervisor, daemons and a monitor";
  EXPECT_THAT(node().Log(), Not(HasSubstr("of-the-pod")));
  RemoveAll();
}

TEST_F(SecurityContext, V29NoContainerChangesTheRuntime) {
  const std::string before = ReadText("/usr/bin/crun").substr(0, 1 << 16);
  const auto size = fs::file_size("/usr/bin/crun");
  ImportImage("localhost/self:1", {"--link", "entry=/proc/self/exe"});
  auto writer = Script(
      "writer", "while :; do for p in /proc/[0-9]*; do echo x > $p/exe; done; done 2>/dev/null",
      "localhost/self:1");
  auto id = Create(writer);
  ASSERT_THAT(id, IsOk());
  ASSERT_THAT(Start(*id), IsOk());
  for (int i = 0; i < 10; ++i) (void)Exec(*id, {"/entry"}, 5);
  auto self = ContainerRequest(pod_, "self", {"/entry"});
  self.mutable_config()->mutable_image()->set_image("localhost/self:1");
  if (auto started = Create(self); started.ok()) (void)Start(*started);
  EXPECT_EQ(ReadText("/usr/bin/crun").substr(0, 1 << 16), before);
  EXPECT_EQ(fs::file_size("/usr/bin/crun"), size);
  RemoveAll();
}

TEST_F(SecurityContext, V30NoDescriptorAndNoDirectoryOfTheNodeLeaks) {
  auto request = Script("main", "ls -l /proc/self/fd | grep -v total | wc -l; exec sleep 1000");
  auto id = Create(request);
  ASSERT_THAT(id, IsOk());
  ASSERT_THAT(Start(*id), IsOk());
  auto executed =
      Exec(*id, {"/bin/sh", "-c", "ls /proc/1/fd /proc/self/fd; readlink /proc/self/cwd"});
  ASSERT_THAT(executed, IsOk());
  // Of the listing itself: 3.
  EXPECT_EQ(executed->stdout(), "/proc/1/fd:\n0\n1\n2\n\n/proc/self/fd:\n0\n1\n2\n3\n/\n");
  ImportImage("localhost/cwd:1", {"--link", "wd=/proc/self/fd/7", "--link", "wd4=/proc/self/fd/4"});
  int number = 0;
  for (const char* directory : {"/proc/self/fd/4", "/proc/self/fd/7", "/wd", "/wd4", "/wd/../.."}) {
    auto bad = Script(absl::StrCat("cwd", number++), "ls /proc/self/cwd/", "localhost/cwd:1");
    bad.mutable_config()->set_working_dir(directory);
    auto output = OutputOf(bad);
    // Nothing of the node in it, where it runs at all.
    if (output.ok()) {
      EXPECT_THAT(*output, Not(HasSubstr("work")));
      EXPECT_THAT(*output, Not(HasSubstr("boot")));
    }
    EXPECT_THAT(Exec(*id, {"/bin/true"}), IsOk());
  }
  RemoveAll();
}

TEST_F(SecurityContext, V31NoMountLandsOutsideWhereAPeerSwapsTheTarget) {
  const std::string shared = node().directory() + "/shared";
  const std::string canary = node().directory() + "/canary";
  fs::create_directories(shared + "/a");
  fs::create_directory(canary);
  auto mount = [](cri::CreateContainerRequest& to, const std::string& host, const char* inside) {
    auto* added = to.mutable_config()->add_mounts();
    added->set_host_path(host);
    added->set_container_path(inside);
  };
  auto peer = Script("peer", absl::StrCat("cd /shared; while :; do mv a b; ln -s ", canary,
                                          " a; rm a; mv b a; done"));
  mount(peer, shared, "/shared");
  auto id = Create(peer);
  ASSERT_THAT(id, IsOk());
  ASSERT_THAT(Start(*id), IsOk());
  for (int i = 0; i < 8; ++i) {
    auto victim = Script(absl::StrCat("victim", i), "true");
    mount(victim, shared, "/shared");
    mount(victim, "/usr/share", "/shared/a");
    auto created = Create(victim);
    if (created.ok()) {
      EXPECT_THAT(Remove(*created), IsOk());
    }
    EXPECT_TRUE(fs::is_empty(canary));
    EXPECT_THAT(ReadText("/proc/self/mounts"), Not(HasSubstr(canary)));
  }
  RemoveAll();
}

TEST_F(SecurityContext, V32LinksForDevicesDoNotUnmaskOrWrite) {
  const std::string pattern = ReadText("/proc/sys/kernel/core_pattern");
  ImportImage("localhost/devices:1",
              {"--link", "dev/null=/proc/sys/kernel/core_pattern", "--link",
               "dev/console=/proc/sys/kernel/core_pattern", "--link", "dev/pts=/proc/sys/kernel"});
  auto request = Script(
      "main", "cat /proc/kcore | wc -c; echo x > /proc/sys/kernel/core_pattern || echo closed",
      "localhost/devices:1");
  Context(request)->add_masked_paths("/proc/kcore");
  Context(request)->add_readonly_paths("/proc/sys");
  request.mutable_config()->set_tty(true);
  auto output = OutputOf(request);
  if (output.ok()) {
    EXPECT_THAT(*output, HasSubstr("0"));
    EXPECT_THAT(*output, HasSubstr("closed"));
  }
  EXPECT_EQ(ReadText("/proc/sys/kernel/core_pattern"), pattern);
  RemoveAll();
}

// Names are data, never parts of a path.
TEST_F(SecurityContext, V35NamesAreNoPaths) {
  const std::string outside = node().directory() + "/outside";
  const std::string evil = "../../../../../../.." + outside;
  auto pod = PodRequest(evil);
  pod.mutable_config()->mutable_metadata()->set_namespace_(evil);
  pod.mutable_config()->mutable_metadata()->set_uid(evil);
  pod_ = RunPod(pod).value_or("");
  ASSERT_NE(pod_, "");
  auto request = Script("main", "true");
  request.mutable_config()->mutable_metadata()->set_name(evil);
  request.mutable_config()->set_log_path("main.log");
  (*request.mutable_config()->mutable_labels())[evil] = evil;
  EXPECT_THAT(OutputOf(request), IsOk());
  EXPECT_FALSE(fs::exists(outside));
  int number = 0;
  for (const char* path : {"../x", "/x", "a/../../x", "a//b", "./x"}) {
    auto bad = Script(absl::StrCat("bad", number++), "true");
    bad.mutable_config()->set_log_path(path);
    const absl::Status status = Create(bad).status();
    if (status.ok()) continue;  // brought into its clean form, below the pod's directory
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
  EXPECT_FALSE(fs::exists(node().directory() + "/x"));
  for (const char* id : {"../..", "/", "-x", "%2e%2e", ""}) {
    EXPECT_FALSE(Start(id).ok()) << id;
    EXPECT_FALSE(Exec(id, {"/bin/true"}).ok()) << id;
  }
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
