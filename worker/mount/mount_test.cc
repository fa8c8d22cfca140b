#include "base/mount.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/erofs_probe.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "security/enforce/spawn.h"
#include "security/layer_ids.h"
#include "worker/layer/test_tar.h"
#include "worker/mount/job.h"
#include "worker/unpack/test_layer_sandbox.h"

namespace bulkhead::mount {
namespace {

namespace fs = std::filesystem;

// Whether this kernel's overlayfs takes detached mounts as layers.
bool TakesDescriptors() {
  base::UniqueFd root(open("/", O_PATH | O_CLOEXEC));
  const absl::StatusOr<base::UniqueFd> layer = base::CloneMount(root.get(), "", false);
  base::UniqueFd context(fsopen("overlay", FSOPEN_CLOEXEC));
  return layer.ok() &&
         fsconfig(context.get(), FSCONFIG_SET_FD, "lowerdir+", nullptr, layer->get()) == 0;
}

// A store in a temporary directory, and a child in a mount namespace of its own for each act.
class MountTest : public testing::TestWithParam<OverlayMethod> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "mounts need root";
    if (GetParam() == OverlayMethod::kDescriptors && !TakesDescriptors()) {
      GTEST_SKIP() << "this kernel's overlayfs takes no layers as descriptors";
    }
    // Of TMPDIR: id-mapped mounts of a tmpfs need Linux 6.3.
    std::string name = absl::StrCat(fs::temp_directory_path().string(), "/bulkhead-mount-XXXXXX");
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    for (const char* sub : {"layers", "containers", "at", "host"}) fs::create_directory(dir_ / sub);
  }
  void TearDown() override {
    if (!dir_.empty()) fs::remove_all(dir_);
  }

  static void Shift(const fs::path& path, uint32_t uid, mode_t mode) {
    ASSERT_EQ(lchown(path.c_str(), security::kLayerIdShift + uid, security::kLayerIdShift + uid),
              0);
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
  }
  // Adds a layer with an empty root and returns its directory.
  fs::path AddLayer() {
    const std::string digest(32, static_cast<char>(digests_.size() + 1));
    digests_.push_back(digest);
    const fs::path layer = dir_ / "layers" / base::ToHex(digest);
    fs::create_directory(layer);
    Shift(layer, 0, 0755);
    return layer;
  }
  // Adds a layer that is an EROFS image of the tar.
  void AddImage(const std::string& tar) {
    const std::string digest(32, static_cast<char>(digests_.size() + 1));
    digests_.push_back(digest);
    const fs::path image = dir_ / "layers" / base::ToHex(digest);
    worker::SandboxedUnpack packed =
        worker::PackAsNobody(tar, image.string(), {.max_bytes = 1 << 20, .max_entries = 1000});
    ASSERT_TRUE(packed.status.ok()) << packed.status;
  }
  static fs::path AddFile(const fs::path& path, const std::string& text, uint32_t uid,
                          mode_t mode) {
    std::ofstream(path) << text;
    Shift(path, uid, mode);
    return path;
  }
  static fs::path AddDirectory(const fs::path& path) {
    fs::create_directory(path);
    Shift(path, 0, 0755);
    return path;
  }

  void BuildJob(capnp::MallocMessageBuilder& message, bool read_only) {
    auto job = message.initRoot<schema::MountJob>();
    job.setContainerId(id_);
    job.setReadOnly(read_only);
    auto layers = job.initLayers(digests_.size());
    for (unsigned i = 0; i < digests_.size(); ++i) {
      layers[i].setBytes({reinterpret_cast<const uint8_t*>(digests_[i].data()), 32});
    }
  }

  // Runs the job in a child with its own mount namespace, attaches the rootfs at at_ and calls
  // check there.
  void Run(capnp::MallocMessageBuilder& message,
           const std::function<void(const absl::Status&, schema::MountResult::Reader,
                                    std::vector<base::UniqueFd>&)>& check) {
    const pid_t child = fork();
    if (child == 0) {
      RunInChild(message, check);
      _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see the child's failures above";
  }

  void RunInChild(capnp::MallocMessageBuilder& message,
                  const std::function<void(const absl::Status&, schema::MountResult::Reader,
                                           std::vector<base::UniqueFd>&)>& check) {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    base::UniqueFd at(open((dir_ / "at").c_str(), O_PATH | O_CLOEXEC));
    base::UniqueFd layers(open((dir_ / "layers").c_str(), O_PATH | O_CLOEXEC));
    base::UniqueFd containers(open((dir_ / "containers").c_str(), O_PATH | O_CLOEXEC));
    const absl::StatusOr<base::UniqueFd> layer_ids = security::MakeLayerIdsNamespace();
    ASSERT_TRUE(layer_ids.ok()) << layer_ids.status();
    capnp::MallocMessageBuilder out;
    auto result = out.initRoot<schema::MountResult>();
    worker::JobResult got = RunMountJob(message.getRoot<schema::MountJob>().asReader(), shared_,
                                        {.layers = layers.get(),
                                         .containers = containers.get(),
                                         .layer_ids = layer_ids->get(),
                                         .policies = policies_},
                                        result, GetParam());
    const absl::Status status = ipc::ReadStatus(result.asReader().getStatus());
    // The namespace method has left the tree that at was opened in; what counts is seen through
    // descriptors.
    if (status.ok()) root_ = absl::StrCat("/proc/", getpid(), "/fd/", got.fds[0].get());
    if (status.ok() && !fs::exists("/proc/self")) MountProc();
    check(status, result.asReader(), got.fds);
  }
  // The workshop hides /proc; the checks want it back.
  void MountProc() {
    ASSERT_TRUE(fs::create_directory("proc"));
    ASSERT_EQ(::mount("proc", "proc", "proc", 0, nullptr), 0);
    root_ = absl::StrCat(fs::current_path().string(), "/proc/self/fd/", root_.filename().string());
    if (root_.string().rfind("//", 0) == 0) root_ = root_.string().substr(1);
  }

  static std::string Read(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path dir_;
  fs::path root_;
  std::vector<std::string> digests_;
  std::vector<base::UniqueFd> shared_;  // what comes with the job
  security::PodPolicies policies_ = {.node = *security::PodProfile(security::kCompatible)};
  const std::string id_ = base::NewId();
};

TEST_P(MountTest, MergesLayersAndMapsOwnersBack) {
  const fs::path lower = AddLayer();
  AddFile(lower / "kept", "low", 0, 04755);
  AddFile(lower / "deleted", "x", 0, 0644);
  AddDirectory(lower / "opaque");
  AddFile(lower / "opaque" / "old", "x", 0, 0644);
  const fs::path upper = AddLayer();
  ASSERT_EQ(mknod((upper / "deleted").c_str(), S_IFCHR, makedev(0, 0)), 0);
  AddDirectory(upper / "opaque");
  ASSERT_EQ(setxattr((upper / "opaque").c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  AddFile(upper / "opaque" / "new", "x", 1234, 0600);

  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto&) {
    ASSERT_TRUE(status.ok()) << status;
    struct stat st;
    ASSERT_EQ(stat((root_ / "kept").c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 0u);
    EXPECT_EQ(st.st_mode & 07777, 04755u);
    ASSERT_EQ(stat((root_ / "opaque/new").c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 1234u);
    EXPECT_EQ(st.st_gid, 1234u);
    EXPECT_FALSE(fs::exists(root_ / "deleted"));
    EXPECT_FALSE(fs::exists(root_ / "opaque/old"));
  });
}

TEST_P(MountTest, WritesLandInTheContainersOwnDirectory) {
  AddFile(AddLayer() / "file", "low", 0, 0644);
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto&) {
    ASSERT_TRUE(status.ok()) << status;
    std::ofstream(root_ / "file") << "changed";
    ASSERT_EQ(chown((root_ / "file").c_str(), 77, 77), 0);
    EXPECT_EQ(unlink((root_ / "none").c_str()), -1);
    EXPECT_EQ(mkdir((root_ / "made").c_str(), 0755), 0);
  });
  const fs::path upper = dir_ / "containers" / id_ / "upper";
  EXPECT_EQ(Read(upper / "file"), "changed");
  struct stat st;
  ASSERT_EQ(stat((upper / "file").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 77u);
  ASSERT_EQ(stat(upper.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0755u);
  EXPECT_EQ(Read(dir_ / "layers" / base::ToHex(digests_[0]) / "file"), "low");
}

TEST_P(MountTest, DeletingAFileOfALayerWorks) {
  AddFile(AddLayer() / "file", "low", 0, 0644);
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto&) {
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(unlink((root_ / "file").c_str()), 0);
    EXPECT_FALSE(fs::exists(root_ / "file"));
  });
}

TEST_P(MountTest, DevicesOfAnImageDoNotOpen) {
  const fs::path layer = AddLayer();
  ASSERT_EQ(mknod((layer / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  Shift(layer / "null", 0, 0666);
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto&) {
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(open((root_ / "null").c_str(), O_RDONLY | O_CLOEXEC), -1);
    EXPECT_EQ(errno, EACCES);
  });
}

TEST_P(MountTest, ReadOnlyMakesNoDirectory) {
  AddFile(AddLayer() / "file", "low", 0, 0644);
  for (int layers = 1; layers <= 2; ++layers) {
    capnp::MallocMessageBuilder message;
    BuildJob(message, true);
    Run(message, [&](const absl::Status& status, auto, auto&) {
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(Read(root_ / "file"), "low");
      EXPECT_EQ(mkdir((root_ / "made").c_str(), 0755), -1);
      EXPECT_EQ(errno, EROFS);
    });
    EXPECT_TRUE(fs::is_empty(dir_ / "containers"));
    AddLayer();
  }
}

TEST_P(MountTest, ManyLayers) {
  for (int i = 0; i < 120; ++i) AddFile(AddLayer() / absl::StrCat("f", i), "x", 0, 0644);
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto&) {
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(fs::exists(root_ / "f0"));
    EXPECT_TRUE(fs::exists(root_ / "f119"));
  });
}

TEST_P(MountTest, ClonesVolumes) {
  AddLayer();
  std::ofstream(dir_ / "host/file") << "volume";
  fs::create_directory(dir_ / "host/dir");
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  auto volumes = message.getRoot<schema::MountJob>().initVolumes(3);
  volumes[0].setHostPath((dir_ / "host/file").string());
  volumes[0].setReadOnly(true);
  volumes[1].setHostPath((dir_ / "host/dir").string());
  volumes[1].setRecursive(true);
  volumes[2].setHostPath((dir_ / "host/made/deep").string());
  volumes[2].setCreateDirectory(true);
  Run(message, [&](const absl::Status& status, schema::MountResult::Reader result, auto& fds) {
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(fds.size(), 4u);
    EXPECT_FALSE(result.getVolumeIsDirectory()[0]);
    EXPECT_TRUE(result.getVolumeIsDirectory()[1]);
    EXPECT_TRUE(result.getVolumeIsDirectory()[2]);
    const std::string file = absl::StrCat(root_.parent_path().string(), "/", fds[1].get());
    EXPECT_EQ(Read(file), "volume");
    EXPECT_EQ(open(file.c_str(), O_WRONLY | O_CLOEXEC), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(mkdirat(fds[2].get(), "made", 0700), 0);
  });
  EXPECT_TRUE(fs::is_directory(dir_ / "host/dir/made"));
  EXPECT_TRUE(fs::is_directory(dir_ / "host/made/deep"));
}

TEST_P(MountTest, MissingVolumeIsNamedAndLeavesNothing) {
  AddLayer();
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  auto volumes = message.getRoot<schema::MountJob>().initVolumes(1);
  volumes[0].setHostPath((dir_ / "host/none").string());
  Run(message, [&](const absl::Status& status, auto, auto& fds) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("host/none"));
    EXPECT_TRUE(fds.empty());
  });
  EXPECT_TRUE(fs::is_empty(dir_ / "containers"));
}

TEST_P(MountTest, MissingLayerLeavesNothing) {
  fs::remove_all(AddLayer());
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto&) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  });
  EXPECT_TRUE(fs::is_empty(dir_ / "containers"));
}

TEST_P(MountTest, RefusesAContainerIdThatIsAPath) {
  AddLayer();
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  message.getRoot<schema::MountJob>().setContainerId("../../etc");
  Run(message, [&](const absl::Status& status, auto, auto&) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  });
}

// Whoever gives the job: what the policy does not grant is not mounted.
TEST_P(MountTest, RefusesWhatThePolicyDoesNotGrant) {
  AddLayer();
  fs::create_directories(dir_ / "kubelet/pods/mine/volumes/data");
  fs::create_directories(dir_ / "kubelet/pods/other/volumes/data");
  policies_.node = *security::PodProfile("restricted");
  policies_.node.kubelet_root = (dir_ / "kubelet").string();
  policies_.node.host_paths = {{(dir_ / "host").string(), true}};
  const auto mount = [&](const fs::path& path, bool read_only, const std::string& expected) {
    capnp::MallocMessageBuilder message;
    BuildJob(message, true);
    auto job = message.getRoot<schema::MountJob>();
    job.setPodUid("mine");
    auto volumes = job.initVolumes(1);
    volumes[0].setHostPath(path.string());
    volumes[0].setReadOnly(read_only);
    volumes[0].setCreateDirectory(true);
    Run(message, [&](const absl::Status& status, auto, auto& fds) {
      EXPECT_EQ(absl::StatusCodeToString(status.code()), expected) << path << " " << status;
      EXPECT_EQ(fds.size(), status.ok() ? 2u : 0u);
      if (status.ok() || absl::IsNotFound(status)) return;
      EXPECT_THAT(security::RuleOf(status), testing::HasSubstr("host_paths"));
    });
  };
  mount(dir_ / "kubelet/pods/mine/volumes/data", false, "OK");
  mount(dir_ / "host", true, "OK");
  mount(dir_ / "host", false, "PERMISSION_DENIED");
  mount(dir_ / "kubelet/pods/other/volumes/data", true, "PERMISSION_DENIED");
  mount("/etc", true, "PERMISSION_DENIED");
  mount(dir_ / "layers", true, "PERMISSION_DENIED");
  mount(dir_ / "kubelet/pods/mine/made", false, "NOT_FOUND");
  EXPECT_FALSE(fs::exists(dir_ / "kubelet/pods/mine/made"));
  policies_ = {};
  mount(dir_ / "host", true, "PERMISSION_DENIED");
}

// What a pod writes into its own volume must not show it the node.
TEST_P(MountTest, NoLinkLeadsOutOfWhatThePolicyGrants) {
  AddLayer();
  const fs::path own = dir_ / "kubelet/pods/mine";
  fs::create_directories(own / "volumes/data/..first");
  std::ofstream(own / "volumes/data/..first/key") << "inside";
  std::ofstream(dir_ / "host/secret") << "outside";
  fs::create_symlink("..first", own / "volumes/data/..data");
  fs::create_symlink((dir_ / "host").string(), own / "volumes/data/absolute");
  fs::create_symlink("../../../../../host", own / "volumes/data/relative");
  policies_.node = *security::PodProfile("restricted");
  policies_.node.kubelet_root = (dir_ / "kubelet").string();
  const auto mount = [&](const std::string& path, bool expected) {
    capnp::MallocMessageBuilder message;
    BuildJob(message, true);
    auto job = message.getRoot<schema::MountJob>();
    job.setPodUid("mine");
    job.initVolumes(1)[0].setHostPath((own / path).string());
    Run(message, [&](const absl::Status& status, auto, auto&) {
      EXPECT_EQ(status.ok(), expected) << path << " " << status;
    });
  };
  mount("volumes/data/..data/key", true);
  mount("volumes/data/absolute/secret", false);
  mount("volumes/data/relative/secret", false);
}

// A magic link such as /proc/self/root is no host path.
TEST_P(MountTest, RefusesMagicLinks) {
  AddLayer();
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  auto volumes = message.getRoot<schema::MountJob>().initVolumes(1);
  volumes[0].setHostPath("/proc/self/root/etc");
  Run(message, [&](const absl::Status& status, auto, auto&) { EXPECT_FALSE(status.ok()); });
}

bool TakesImages() {
  const absl::Status works = base::ProbeErofs(fs::temp_directory_path().c_str());
  if (!works.ok()) std::cerr << works << "\n";
  return works.ok();
}

worker::TestTar UpperTar() {
  std::string cap(20, '\0');
  cap.replace(0, 6, std::string("\x01\x00\x00\x02\x00\x20", 6));
  return worker::TestTar()
      .Add({.name = ".wh.deleted"})
      .Add({.name = "opaque/.wh..wh..opq"})
      .Add({.name = "opaque/new", .contents = "new"})
      .Add({.name = "su", .contents = "su", .mode = 04755, .uid = 12})
      .Add({.name = "ping",
            .contents = "p",
            .mode = 0755,
            .pax = {{"SCHILY.xattr.security.capability", cap}}});
}

// An image over a directory over an image, with what each hides of those below.
TEST_P(MountTest, ImagesAndDirectoriesInOneStack) {
  if (!TakesImages()) GTEST_SKIP() << "no EROFS images on this kernel or file system";
  AddImage(worker::TestTar()
               .Add({.name = "opaque/old", .contents = "old"})
               .Add({.name = "deleted", .contents = "x"})
               .Add({.name = "lowest", .contents = "lowest", .uid = 5})
               .Finish());
  AddFile(AddLayer() / "middle", "middle", 7, 0640);
  AddImage(UpperTar().Finish());
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto&) {
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_FALSE(fs::exists(root_ / "deleted"));
    EXPECT_FALSE(fs::exists(root_ / "opaque/old"));
    EXPECT_EQ(Read(root_ / "opaque/new"), "new");
    EXPECT_EQ(Read(root_ / "lowest"), "lowest");
    struct stat st;
    ASSERT_EQ(stat((root_ / "lowest").c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 5u);
    ASSERT_EQ(stat((root_ / "middle").c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 7u);
    ASSERT_EQ(stat((root_ / "su").c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 12u);
    EXPECT_EQ(st.st_mode & 07777, 04755u);
    char cap[64];
    EXPECT_EQ(getxattr((root_ / "ping").c_str(), "security.capability", cap, sizeof(cap)), 20)
        << "good for the node's root again, so of revision 2";
    std::ofstream(root_ / "su") << "changed";
    EXPECT_EQ(Read(root_ / "su"), "changed");
    EXPECT_EQ(fs::remove_all(root_ / "opaque"), 2u);
  });
}

TEST_P(MountTest, AnImageIsMountedOnceForAll) {
  if (!TakesImages()) GTEST_SKIP() << "no EROFS images on this kernel or file system";
  AddImage(worker::TestTar().Add({.name = "a", .contents = "a"}).Finish());
  AddLayer();
  AddImage(worker::TestTar().Add({.name = "b", .contents = "b"}).Finish());
  capnp::MallocMessageBuilder message;
  BuildJob(message, true);
  message.getRoot<schema::MountJob>().setMaxNewMounts(5);
  Run(message, [&](const absl::Status& status, schema::MountResult::Reader result, auto& fds) {
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(result.getNewMounts().size(), 2u);
    EXPECT_EQ(result.getNewMounts()[0], 0u);
    EXPECT_EQ(result.getNewMounts()[1], 2u);
    ASSERT_EQ(fds.size(), 3u);
    struct stat st;
    ASSERT_EQ(fstatat(fds[1].get(), "a", &st, 0), 0);
    EXPECT_EQ(st.st_uid, security::kLayerIdShift) << "what is kept is not id-mapped";
    // The second container gets the first one's mounts, and no new ones are made.
    if (GetParam() == OverlayMethod::kNamespace)
      return;  // that has left the tree of its directories
    shared_.push_back(std::move(fds[1]));
    shared_.push_back(std::move(fds[2]));
    capnp::MallocMessageBuilder second;
    BuildJob(second, true);
    auto job = second.getRoot<schema::MountJob>();
    job.setMaxNewMounts(5);
    auto shared = job.initShared(2);
    shared.set(0, 0);
    shared.set(1, 2);
    RunInChild(second, [&](const absl::Status& again, schema::MountResult::Reader r, auto& more) {
      ASSERT_TRUE(again.ok()) << again;
      EXPECT_EQ(r.getNewMounts().size(), 0u);
      EXPECT_EQ(more.size(), 1u);
      EXPECT_EQ(Read(root_ / "a"), "a");
      EXPECT_EQ(Read(root_ / "b"), "b");
    });
  });
}

TEST_P(MountTest, AFileThatIsNoImageIsRefused) {
  AddLayer();
  digests_.push_back(std::string(32, 'x'));
  std::ofstream(dir_ / "layers" / base::ToHex(digests_.back())) << std::string(8192, 'x');
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  Run(message, [&](const absl::Status& status, auto, auto& fds) {
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(fds.empty());
  });
  EXPECT_TRUE(fs::is_empty(dir_ / "containers"));
}

TEST_P(MountTest, SharedMountsMustFitTheLayers) {
  AddLayer();
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  message.getRoot<schema::MountJob>().initShared(1).set(0, 1);
  shared_.push_back(base::UniqueFd(open("/", O_PATH | O_CLOEXEC)));
  Run(message, [&](const absl::Status& status, auto, auto&) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  });
}

std::string NameOf(const testing::TestParamInfo<OverlayMethod>& info) {
  if (info.param == OverlayMethod::kBest) return "Best";
  return info.param == OverlayMethod::kDescriptors ? "Descriptors" : "Namespace";
}

INSTANTIATE_TEST_SUITE_P(Ways, MountTest,
                         testing::Values(OverlayMethod::kBest, OverlayMethod::kDescriptors,
                                         OverlayMethod::kNamespace),
                         NameOf);

}  // namespace
}  // namespace bulkhead::mount
