// What a container sees besides its own root file system: volumes of the node, images, volumes of
// its own, devices.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Runtime = tools::CriClient::Runtime;

class Mounts : public NodeTest {
 protected:
  // A container that runs this script in a pod of its own name.
  cri::CreateContainerRequest Script(const std::string& name, const std::string& script,
                                     const char* image = kImage) {
    if (pod_.empty()) pod_ = RunPod(PodRequest("pod")).value_or("");
    auto request = ContainerRequest(pod_, name, {"/bin/sh", "-c", script});
    request.mutable_config()->mutable_image()->set_image(image);
    return request;
  }
  static cri::Mount* AddImage(cri::CreateContainerRequest& request, const std::string& path,
                              const std::string& sub_path = "") {
    cri::Mount* mount = request.mutable_config()->add_mounts();
    mount->set_container_path(path);
    mount->set_readonly(true);
    mount->mutable_image()->set_image(kImage);
    mount->set_image_sub_path(sub_path);
    return mount;
  }
  static cri::Mount* AddHost(cri::CreateContainerRequest& request, const std::string& host,
                             const std::string& path) {
    cri::Mount* mount = request.mutable_config()->add_mounts();
    mount->set_container_path(path);
    mount->set_host_path(host);
    return mount;
  }

  std::string pod_;
};

TEST_F(Mounts, AnImageAsAVolume) {
  auto request = Script("main",
                        "cat /image/etc/group; ls /part; echo x > /image/x || echo read-only;"
                        "/image/bin/busybox echo runs");
  AddImage(request, "/image");
  AddImage(request, "/part", "etc");
  auto id = Create(request);
  ASSERT_THAT(id, IsOk());
  ASSERT_THAT(Start(*id), IsOk());
  auto exited = AwaitExit(*id);
  ASSERT_THAT(exited, IsOk());
  EXPECT_EQ(LogText(*exited),
            "root:x:0:\nuser:x:1000:\nextra:x:2000:user\ngroup\npasswd\nread-only\nruns\n");
  ASSERT_EQ(exited->mounts_size(), 2);
  EXPECT_EQ(exited->mounts(0).image().image(), kImage);
  EXPECT_EQ(exited->mounts(0).image().image_ref(), exited->image_id());
  EXPECT_EQ(exited->mounts(1).image_sub_path(), "etc");

  auto noexec = Script("noexec", "/image/bin/busybox echo runs || echo not");
  AddImage(noexec, "/image")->add_mount_options("noexec");
  EXPECT_EQ(OutputOf(noexec).value_or(""), "not\n");
  RemoveAll();
}

TEST_F(Mounts, AnImageThatCannotBeMounted) {
  auto code = [&](auto change) {
    static int number = 0;
    auto request = Script(absl::StrCat("bad", number++), "true");
    change(*AddImage(request, "/image"));
    auto created = Create(request);
    EXPECT_THAT(std::string(created.status().message()), testing::ContainsRegex("image|mount_options"));
    return created.status().code();
  };
  EXPECT_EQ(code([](cri::Mount& m) { m.set_readonly(false); }), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](cri::Mount& m) { m.set_host_path("/tmp"); }),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](cri::Mount& m) { m.set_image_sub_path("none"); }), absl::StatusCode::kNotFound);
  EXPECT_EQ(code([](cri::Mount& m) { m.set_image_sub_path("../etc"); }),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code([](cri::Mount& m) { m.mutable_image()->set_image("localhost/none:1"); }),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(code([](cri::Mount& m) { m.add_mount_options("upperdir=/"); }),
            absl::StatusCode::kInvalidArgument);
  RemoveAll();
}

TEST_F(Mounts, V14VolumesOfTheImageHoldWhatTheImageHasThere) {
  ImportImage("localhost/volumes:1",
              {"--file", "data/deep/file=from the image", "--link", "linked=/etc", "--volume",
               "/data", "--volume", "/linked", "--volume", "/empty"});
  auto request =
      Script("main",
             "cat /data/deep/file; echo; cat /etc/group | head -1; ls /empty;"
             "echo new > /data/deep/more && cat /data/deep/more; stat -c %a /data/deep/file;"
             "echo no > /nowhere || echo read-only root",
             "localhost/volumes:1");
  request.mutable_config()->mutable_linux()->mutable_security_context()->set_readonly_rootfs(true);
  auto first = OutputOf(request);
  ASSERT_THAT(first, IsOk());
  EXPECT_EQ(*first, "from the image\nroot:x:0:\nnew\n640\nread-only root\n");

  // Each container has its own, and what the pod mounts there comes first.
  std::ofstream(node().directory() + "/logs/host") << "of the pod\n";
  auto second = Script("second", "ls /data/deep; cat /empty/host", "localhost/volumes:1");
  AddHost(second, node().log_dir(), "/empty");
  EXPECT_EQ(OutputOf(second).value_or(""), "file\nof the pod\n");
  RemoveAll();
}

// Inside of the image the link leads nowhere. Some runtimes make what is missing there, crun 1.8 refuses.
TEST_F(Mounts, V14AVolumeBehindALinkToTheNode) {
  ImportImage("localhost/volumes:1", {"--link", absl::StrCat("outside=", node().directory()),
                                      "--volume", "/outside"});
  const auto before = fs::last_write_time(node().directory());
  auto created = Create(Script("main", "touch /outside/here", "localhost/volumes:1"));
  if (created.ok()) {
    EXPECT_THAT(Start(*created), IsOk());
    EXPECT_THAT(AwaitExit(*created), IsOk());
  } else {
    EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition) << created.status();
  }
  EXPECT_EQ(fs::last_write_time(node().directory()), before);
  RemoveAll();
}

TEST_F(Mounts, V14AVolumeOfTheImageThatLeadsElsewhere) {
  const char* paths[] = {"/../../../../etc", "/proc", "/etc/passwd"};
  for (int i = 0; i < 3; ++i) {
    ImportImage(absl::StrCat("localhost/volumes:", i), {"--volume", paths[i]});
  }
  for (int i = 0; i < 3; ++i) {
    const std::string name = absl::StrCat("localhost/volumes:", i);
    auto created = Create(Script(absl::StrCat("c", i), "true", name.c_str()));
    EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition) << paths[i];
    EXPECT_THAT(std::string(created.status().message()), HasSubstr("VOLUME"));
  }
  RemoveAll();
}

TEST_F(Mounts, HostPathsAndTheirOptions) {
  const std::string volume = node().directory() + "/volume";
  fs::create_directory(volume);
  std::ofstream(volume + "/program") << "#!/bin/sh\necho runs\n";
  chmod((volume + "/program").c_str(), 0755);
  auto missing = Script("missing", "true");
  AddHost(missing, volume + "/none", "/volume");
  auto created = Create(missing);
  EXPECT_EQ(created.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(created.status().message()), HasSubstr("/volume/none"));
  EXPECT_FALSE(fs::exists(volume + "/none"));

  auto request =
      Script("main",
             "/plain/program; /noexec/program || echo not; grep -c ' /noexec .*noexec' "
             "/proc/self/mounts; grep -c ' /both [^ ]* ro.*nosuid.*noexec' /proc/self/mounts");
  AddHost(request, volume, "/plain");
  AddHost(request, volume, "/noexec")->add_mount_options("noexec");
  cri::Mount* both = AddHost(request, volume, "/both");
  both->set_readonly(true);
  both->add_mount_options("noexec");
  both->add_mount_options("nosuid");
  EXPECT_EQ(OutputOf(request).value_or(""), "runs\nnot\n1\n1\n");

  auto relabel = Script("relabel", "echo ok");
  AddHost(relabel, "/etc", "/etc-of-node")->set_selinux_relabel(true);
  EXPECT_EQ(OutputOf(relabel).value_or(""), "ok\n");
  RemoveAll();
}

TEST_F(Mounts, DevicesAndDirectoriesOfDevices) {
  const std::string devices = node().directory() + "/devices";
  fs::create_directories(devices + "/deep");
  ASSERT_EQ(chmod((devices + "/deep/null").c_str(), 0666), 0) << "whatever the umask";
  ASSERT_EQ(mknod((devices + "/zero").c_str(), S_IFCHR | 0640, makedev(1, 5)), 0);
  ASSERT_EQ(mknod((devices + "/deep/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  std::ofstream(devices + "/no-device") << "x";
  auto request = Script("main",
                        "ls -l /dev/all/zero /dev/one | cut -c1-10; ls /dev/all /dev/all/deep;"
                        "head -c 2 /dev/all/zero | wc -c; echo x > /dev/one && echo written");
  auto add = [&](cri::CreateContainerRequest& to, const std::string& host, const char* inside,
                 const char* permissions) {
    cri::Device* device = to.mutable_config()->add_devices();
    device->set_host_path(host);
    device->set_container_path(inside);
    device->set_permissions(permissions);
  };
  add(request, devices, "/dev/all", "rwm");
  add(request, devices + "/deep/null", "/dev/one", "rw");
  auto output = OutputOf(request);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output,
            "crw-r-----\ncrw-rw-rw-\n/dev/all:\ndeep\nzero\n\n/dev/all/deep:\nnull\n2\nwritten\n");

  auto refused = [&](const std::string& host, const char* permissions) {
    static int number = 0;
    auto bad = Script(absl::StrCat("bad", number++), "true");
    add(bad, host, "/dev/x", permissions);
    return Create(bad).status().code();
  };
  EXPECT_EQ(refused(devices + "/none", "rw"), absl::StatusCode::kNotFound);
  EXPECT_EQ(refused(devices + "/no-device", "rw"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused(devices + "/zero", "rx"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("/dev/../dev/mem", "r"), absl::StatusCode::kInvalidArgument);
  RemoveAll();
}

class Cdi : public Mounts {
 protected:
  NodeOptions Options() override {
    char name[] = "/tmp/cdi-test-XXXXXX";
    specs_ = mkdtemp(name);
    return {.extra_config = absl::StrCat("cdi.spec_dirs = [\"", specs_, "/first\", \"", specs_,
                                         "/second\"]\ncdi.hooks = [\"/bin/true\"]\n")};
  }
  void TearDown() override {
    fs::remove_all(specs_);
    Mounts::TearDown();
  }
  void Spec(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(specs_ + "/" + name).parent_path());
    std::ofstream(specs_ + "/" + name) << text;
  }
  std::string specs_;
};

TEST_F(Cdi, DevicesOfTheSpecDirectories) {
  std::ofstream(specs_ + "/library") << "of the vendor\n";
  Spec("first/vendor.yaml",
       absl::StrCat(R"(
cdiVersion: 0.6.0
kind: vendor.com/gpu
containerEdits:
  mounts: [{hostPath: )",
                    specs_, R"(/library, containerPath: /lib/vendor, options: [ro, nodev]}]
  hooks: [{hookName: createRuntime, path: /bin/true}]
devices:
- name: gpu0
  containerEdits:
    env: [GPU=first]
    deviceNodes: [{path: /dev/gpu0, hostPath: /dev/zero, fileMode: 0600, permissions: rw}]
    additionalGids: [4242]
- name: hooked
  containerEdits: {hooks: [{hookName: createRuntime, path: /bin/sh}]}
)"));
  Spec("second/vendor.json", R"({"cdiVersion": "0.6.0", "kind": "vendor.com/gpu", "devices": [
      {"name": "gpu1", "containerEdits": {"env": ["MORE=second"]}}]})");
  Spec("second/broken.yaml", "kind: [");
  auto request =
      Script("main", "echo $GPU $MORE; cat /lib/vendor; head -c 3 /dev/gpu0 | wc -c; id -G");
  request.mutable_config()->add_cdi_devices()->set_name("vendor.com/gpu=gpu0");
  request.mutable_config()->add_cdi_devices()->set_name("vendor.com/gpu=gpu1");
  auto output = OutputOf(request);
  ASSERT_THAT(output, IsOk());
  EXPECT_EQ(*output, "first second\nof the vendor\n3\n0 4242\n");

  auto refused = [&](const char* device) {
    auto bad = Script(absl::StrCat("bad", device), "true");
    bad.mutable_config()->add_cdi_devices()->set_name(device);
    return Create(bad).status();
  };
  EXPECT_EQ(refused("vendor.com/gpu=none").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refused("vendor.com/gpu=none").message()),
              ::testing::AllOf(HasSubstr("config.CDI_devices"), HasSubstr("broken.yaml")));
  EXPECT_EQ(refused("gpu0").code(), absl::StatusCode::kInvalidArgument);
  // V39: a program on the node runs only where the administrator allows it.
  EXPECT_EQ(refused("vendor.com/gpu=hooked").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused("vendor.com/gpu=hooked").message()), HasSubstr("/bin/sh"));
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
