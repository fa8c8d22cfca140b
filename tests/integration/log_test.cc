// Rotation of logs, and disks that are full.
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using Runtime = tools::CriClient::Runtime;

class Logs : public NodeTest {
 protected:
  absl::Status Reopen(const std::string& container) {
    cri::ReopenContainerLogRequest request;
    request.set_container_id(container);
    return cri().Call(&Runtime::ReopenContainerLog, request, kPatience).status();
  }
  // As kubelet does it.
  absl::Status Rotate(const std::string& container) {
    auto status = Status(container);
    if (!status.ok()) return status.status();
    log_ = status->log_path();
    const std::string rotated = absl::StrCat(log_, ".", rotated_.size());
    if (rename(log_.c_str(), rotated.c_str()) != 0) return absl::InternalError("rename");
    absl::Status reopened = Reopen(container);
    if (!reopened.ok()) {
      (void)rename(rotated.c_str(), log_.c_str());
      return reopened;
    }
    rotated_.push_back(rotated);
    return reopened;
  }
  // The texts of all files, in the order in which they were written.
  std::vector<std::string> Lines() {
    std::vector<std::string> files = rotated_;
    files.push_back(log_);
    std::vector<std::string> lines;
    for (const std::string& file : files) {
      const std::string text = base::ReadFile(file, 256 << 20).value_or("");
      for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
        const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 3));
        lines.emplace_back(parts.size() == 4 ? parts[3] : "not a line of a log");
      }
    }
    return lines;
  }
  void ExpectEveryLineOnce(size_t at_least) {
    const std::vector<std::string> lines = Lines();
    EXPECT_GE(lines.size(), at_least);
    for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], absl::StrCat(i));
  }
  // Counts as fast as it can until it is told to end.
  absl::StatusOr<std::string> StartFlood() {
    auto pod = RunPod(PodRequest("pod"));
    if (!pod.ok()) return pod;
    auto container = Create(ContainerRequest(
        *pod, "main",
        {"/bin/sh", "-c",
         "trap 'stop=1' TERM; i=0; while [ -z \"$stop\" ]; do echo $i; i=$((i+1)); done"}));
    if (!container.ok()) return container;
    absl::Status started = Start(*container);
    if (!started.ok()) return started;
    return container;
  }

  std::string log_;
  std::vector<std::string> rotated_;
};

TEST_F(Logs, RotationUnderFloodLosesNoLine) {
  auto container = StartFlood();
  ASSERT_THAT(container, IsOk());
  for (int i = 0; i < 10; ++i) {
    absl::SleepFor(absl::Milliseconds(50));
    ASSERT_THAT(Rotate(*container), IsOk());
    // From now on it is done with the old file.
    const auto size = std::filesystem::file_size(rotated_.back());
    absl::SleepFor(absl::Milliseconds(20));
    EXPECT_EQ(std::filesystem::file_size(rotated_.back()), size);
  }
  EXPECT_THAT(Stop(*container, 20), IsOk());
  ExpectEveryLineOnce(100);
  RemoveAll();
}

TEST_F(Logs, RotationWhileTheBrokerIsRestartedLosesNoLine) {
  auto container = StartFlood();
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Rotate(*container), IsOk());
  const pid_t broker = node().Daemon("broker");
  ASSERT_EQ(kill(broker, SIGKILL), 0);
  Rotate(*container).IgnoreError();  // whether it is there again by now or not
  ASSERT_TRUE(Eventually(kPatience, [&] { return Rotate(*container).ok(); }));
  EXPECT_THAT(Stop(*container, 20), IsOk());
  ExpectEveryLineOnce(100);
  RemoveAll();
}

TEST_F(Logs, OnlyOfWhatRunsAndOnlyAPlainFile) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(*pod, "main", {"/bin/sleep", "1000"}));
  ASSERT_THAT(container, IsOk());
  EXPECT_TRUE(absl::IsFailedPrecondition(Reopen(*container))) << "created";
  ASSERT_THAT(Start(*container), IsOk());
  const std::string log = Status(*container)->log_path();
  const auto mode = std::filesystem::status(log).permissions();
  std::filesystem::remove(log);
  std::filesystem::create_symlink("/etc/passwd", log);
  EXPECT_FALSE(Reopen(*container).ok()) << "a link leads where it likes";
  std::filesystem::remove(log);
  ASSERT_THAT(Reopen(*container), IsOk());
  EXPECT_TRUE(std::filesystem::is_regular_file(log));
  EXPECT_EQ(std::filesystem::status(log).permissions(), mode) << "as it was before";
  EXPECT_THAT(Stop(*container, 0), IsOk());
  std::filesystem::remove(log);
  EXPECT_TRUE(absl::IsFailedPrecondition(Reopen(*container))) << "ended";
  EXPECT_FALSE(std::filesystem::exists(log)) << "an error must not leave a new file";
  EXPECT_TRUE(absl::IsNotFound(Reopen(std::string(64, '0'))));
  RemoveAll();
}

using V47 = Logs;

TEST_F(V47, WhereALogIsALinkOrNoPlainFileNothingIsWritten) {
  namespace fs = std::filesystem;
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  const std::string directory = node().log_dir(), victim = node().directory() + "/victim";
  std::ofstream(victim) << "untouched";
  fs::create_directories(directory + "/real");
  fs::create_directory_symlink(node().directory(), directory + "/linked");
  fs::create_symlink(victim, directory + "/real/link");
  fs::create_hard_link(victim, directory + "/real/hard");
  fs::create_directory(directory + "/real/directory");
  ASSERT_EQ(mkfifo((directory + "/real/fifo").c_str(), 0600), 0);
  for (const char* path :
       {"linked/victim", "real/link", "real/hard", "real/directory", "real/fifo"}) {
    auto request = ContainerRequest(*pod, "main", {"/bin/echo", "written"});
    request.mutable_config()->set_log_path(path);
    EXPECT_FALSE(Create(request).ok()) << path;
  }
  EXPECT_EQ(*base::ReadFile(victim, 100), "untouched");
  RemoveAll();
}

TEST_F(V47, WhatLooksLikeALineOfALogIsContent) {
  const std::string forged = "2020-01-01T00:00:00.000000000Z stderr F forged";
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(
      *pod, "main", {"/bin/sh", "-c", absl::StrCat("printf '\\n\\r%s\\n' '", forged, "'")}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  auto ended = AwaitExit(*container);
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(LogText(*ended), "\n\r" + forged + "\n");
  EXPECT_EQ(LogText(*ended, "stderr"), "");
  RemoveAll();
}

TEST_F(Logs, AFullDiskStopsNoContainerAndTheLossIsTold) {
  const std::string directory = node().log_dir();
  std::filesystem::create_directories(directory);
  ASSERT_EQ(mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=256k"), 0);
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  auto container = Create(ContainerRequest(
      *pod, "main",
      {"/bin/sh", "-c",
       "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); "
       "done; touch /full; while [ ! -e /go ]; do sleep 0.1; done; echo at last; exit 3"}));
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  const auto info = [&] {
    cri::ContainerStatusRequest request;
    request.set_container_id(*container);
    request.set_verbose(true);
    auto response = cri().Call(&Runtime::ContainerStatus, request, kPatience);
    return response.ok() ? response->info().at("info") : std::string();
  };
  EXPECT_TRUE(absl::StrContains(info(), "\"lostLogBytes\":"));
  EXPECT_TRUE(Eventually(absl::Seconds(20), [&] {
    const std::string text = info();
    return !text.empty() && !absl::StrContains(text, "\"lostLogBytes\":0");
  }));
  EXPECT_EQ(Status(*container)->state(), cri::CONTAINER_RUNNING);
  EXPECT_TRUE(absl::StrContains(node().Log(), "output of a container is lost"));
  // There is room again, by a rotation, once nothing is left to fill it.
  ASSERT_THAT(Exec(*container, {"/bin/sh", "-c", "until [ -e /full ]; do sleep 0.1; done"}),
              IsOk());
  ASSERT_THAT(Rotate(*container), IsOk());
  std::filesystem::remove(rotated_.back());
  ASSERT_THAT(Exec(*container, {"/bin/touch", "/go"}), IsOk());
  auto exited = AwaitExit(*container);
  ASSERT_THAT(exited, IsOk());
  EXPECT_EQ(exited->exit_code(), 3);
  EXPECT_TRUE(absl::StrContains(base::ReadFile(log_, 1 << 20).value_or(""), " F at last\n"));
  EXPECT_FALSE(absl::StrContains(info(), "\"lostLogBytes\":0")) << "it stays on record";
  RemoveAll();
  umount2(directory.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace bulkhead::test
