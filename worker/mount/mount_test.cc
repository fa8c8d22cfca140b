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

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "security/enforce/spawn.h"
#include "security/layer_ids.h"
#include "worker/mount/job.h"

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
    worker::JobResult got = RunMountJob(
        message.getRoot<schema::MountJob>().asReader(),
        {.layers = layers.get(), .containers = containers.get(), .layer_ids = layer_ids->get()},
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

// A magic link such as /proc/self/root is no host path.
TEST_P(MountTest, RefusesMagicLinks) {
  AddLayer();
  capnp::MallocMessageBuilder message;
  BuildJob(message, false);
  auto volumes = message.getRoot<schema::MountJob>().initVolumes(1);
  volumes[0].setHostPath("/proc/self/root/etc");
  Run(message, [&](const absl::Status& status, auto, auto&) { EXPECT_FALSE(status.ok()); });
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
