// No byte is left below root_dir (F7). What makes things is refused; what ends and removes them is
// done, recorded and remembered.
#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;

class F7 : public NodeTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.root_tmpfs_bytes = 96 << 20;
    return options;
  }

  std::string Filler() { return node().root_dir() + "/filler"; }

  // As a container's log or files would.
  void FillDisk() {
    base::UniqueFd fd(open(Filler().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    ASSERT_TRUE(fd);
    for (const size_t chunk : {size_t{1} << 20, size_t{4096}, size_t{1}}) {
      const std::string bytes(chunk, 'x');
      while (write(fd.get(), bytes.data(), bytes.size()) > 0) {
      }
    }
  }
  void FreeDisk() { ASSERT_EQ(unlink(Filler().c_str()), 0); }

  std::string Running(const std::string& pod, const std::string& name) {
    auto container = Create(ContainerRequest(pod, name, {"/bin/sleep", "1000"}));
    EXPECT_THAT(container, IsOk());
    if (!container.ok()) return "";
    EXPECT_THAT(Start(*container), IsOk());
    return *container;
  }

  void ExpectNoSpace(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("space"));
  }
};

TEST_F(F7, OnAFullDiskPodsEndAndNoneBegins) {
  auto pod = RunPod(PodRequest("full"));
  ASSERT_THAT(pod, IsOk());
  const std::string stopped = Running(*pod, "stopped"), removed = Running(*pod, "removed");
  FillDisk();
  ExpectNoSpace(RunPod(PodRequest("another")).status());
  ExpectNoSpace(Create(ContainerRequest(*pod, "third", {"/bin/true"})).status());
  EXPECT_THAT(Status(stopped), IsOk());
  EXPECT_THAT(Stop(stopped, 0), IsOk());
  EXPECT_EQ(Status(stopped)->state(), cri::CONTAINER_EXITED);
  EXPECT_THAT(Remove(removed), IsOk());
  ASSERT_THAT(node().Down(), IsOk());
  const absl::Status up = node().Up();
  ASSERT_TRUE(up.ok()) << up << "\non a full disk";
  EXPECT_EQ(Status(stopped)->state(), cri::CONTAINER_EXITED);
  EXPECT_THAT(StopPod(*pod), IsOk());
  EXPECT_THAT(RemovePod(*pod), IsOk());
  FreeDisk();
  EXPECT_THAT(RunPod(PodRequest("another")), IsOk());
  RemoveAll();
}

// Each removal writes a little: the reserve must do for many.
TEST_F(F7, ManyContainersAreRemovedWithoutAByteLeft) {
  auto pod = RunPod(PodRequest("many"));
  ASSERT_THAT(pod, IsOk());
  std::vector<std::string> containers;
  for (int i = 0; i < 40; ++i) {
    auto container = Create(ContainerRequest(*pod, std::to_string(i), {"/bin/true"}));
    ASSERT_THAT(container, IsOk());
    containers.push_back(*container);
  }
  FillDisk();
  for (const std::string& container : containers) EXPECT_THAT(Remove(container), IsOk());
  EXPECT_THAT(RemovePod(*pod), IsOk());
  FreeDisk();
  ASSERT_THAT(node().Down(), IsOk());
  const Output verified = node().Bulkhead({"audit", "verify"});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
  ASSERT_TRUE(node().Up().ok());
}

class F8 : public F7 {
 protected:
  NodeOptions Options() override {
    NodeOptions options = F7::Options();
    options.root_tmpfs_inodes = 2000;
    return options;
  }
};

TEST_F(F8, WithoutAFileLeftPodsEndAndNoneBegins) {
  auto pod = RunPod(PodRequest("inodes"));
  ASSERT_THAT(pod, IsOk());
  const std::string container = Running(*pod, "main");
  ASSERT_EQ(mkdir(Filler().c_str(), 0700), 0);
  const auto name = [&](int i) { return absl::StrCat(Filler(), "/", i); };
  int files = 0;
  while (base::UniqueFd(open(name(files).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600))) ++files;
  ExpectNoSpace(RunPod(PodRequest("another")).status());
  EXPECT_THAT(Stop(container, 0), IsOk());
  EXPECT_THAT(Remove(container), IsOk());
  EXPECT_THAT(StopPod(*pod), IsOk());
  EXPECT_THAT(RemovePod(*pod), IsOk());
  while (files-- > 0) unlink(name(files).c_str());
  ASSERT_EQ(rmdir(Filler().c_str()), 0);
}

}  // namespace
}  // namespace bulkhead::test
