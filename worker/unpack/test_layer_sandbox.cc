#include "worker/unpack/test_layer_sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/mount.h"
#include "base/unique_fd.h"
#include "security/layer_ids.h"
#include "security/profile.h"
#include "worker/pack/pack.h"
#include "worker/unpack/unpack.h"

namespace bulkhead::worker {
namespace {

constexpr uid_t kNobody = 65534;

struct Report {
  int code;
  uint64_t bytes, headers, entries, skipped_devices, dropped_xattrs;
  char diff_id[32];
  char message[512];
};

void ChildRequire(bool ok) {
  if (!ok) _exit(99);
}

void SendReport(int fd, const absl::StatusOr<LayerCounts>& result) {
  Report out = {};
  out.code = static_cast<int>(result.status().code());
  if (result.ok()) {
    out.bytes = result->bytes;
    out.headers = result->headers;
    out.entries = result->entries;
    out.skipped_devices = result->skipped_devices;
    out.dropped_xattrs = result->dropped_xattrs;
    memcpy(out.diff_id, result->diff_id.data(), sizeof(out.diff_id));
  }
  std::string message(result.status().message());
  strncpy(out.message, message.c_str(), sizeof(out.message) - 1);
  ChildRequire(write(fd, &out, sizeof(out)) == sizeof(out));
}

SandboxedUnpack FromReport(const Report& got) {
  LayerCounts counts = {.bytes = got.bytes,
                        .headers = got.headers,
                        .entries = got.entries,
                        .skipped_devices = got.skipped_devices,
                        .dropped_xattrs = got.dropped_xattrs,
                        .diff_id = std::string(got.diff_id, sizeof(got.diff_id))};
  return {absl::Status(static_cast<absl::StatusCode>(got.code), got.message), counts};
}

void MapIds(pid_t child) {
  std::string map = absl::StrCat("0 ", security::kLayerIdShift, " ", security::kLayerIdCount, "\n",
                                 security::kLayerBrokerInnerId, " ", security::kBrokerUid, " 1\n");
  for (const char* which : {"uid_map", "gid_map"}) {
    std::string path = absl::StrCat("/proc/", child, "/", which);
    base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(write(fd.get(), map.data(), map.size()), static_cast<ssize_t>(map.size()));
  }
}

// Runs run in a child, with the tar on a pipe. enter: what the child does first, told by the parent
// to go on once prepare(child) is done.
SandboxedUnpack RunChild(const std::string& tar, const std::function<void()>& enter,
                         const std::function<void(pid_t)>& prepare,
                         const std::function<void()>& become,
                         const std::function<absl::StatusOr<LayerCounts>(int)>& run) {
  base::FdPair go = *base::MakePipe();
  base::FdPair ready = *base::MakePipe();
  base::FdPair stream = *base::MakePipe();
  base::FdPair report = *base::MakePipe();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    stream.second.Reset();  // or the end of the stream would never be seen
    enter();
    char byte = 0;
    ChildRequire(write(ready.second.get(), &byte, 1) == 1 && read(go.first.get(), &byte, 1) == 1);
    become();
    umask(077);
    SendReport(report.second.get(), run(stream.first.get()));
    _exit(0);
  }
  stream.first.Reset();
  report.second.Reset();
  ready.second.Reset();
  char byte;
  EXPECT_EQ(read(ready.first.get(), &byte, 1), 1);
  prepare(child);
  EXPECT_EQ(write(go.second.get(), "x", 1), 1);
  signal(SIGPIPE, SIG_IGN);  // a refused tar is not read to its end
  (void)base::WriteAll(stream.second.get(), tar);
  stream.second.Reset();
  Report got = {};
  EXPECT_EQ(read(report.first.get(), &got, sizeof(got)), static_cast<ssize_t>(sizeof(got)));
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return FromReport(got);
}

}  // namespace

SandboxedUnpack UnpackInNamespace(const std::string& tar, const std::string& directory,
                                  const LayerLimits& limits) {
  EXPECT_EQ(chown(directory.c_str(), security::kBrokerUid, security::kBrokerUid), 0);
  EXPECT_EQ(chmod(directory.c_str(), 0700), 0);
  base::UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return RunChild(
      tar, [&] { ChildRequire(fd && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0); }, MapIds,
      [] { ChildRequire(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0); },
      [&](int stream) { return Unpack(stream, fd.get(), limits); });
}

SandboxedUnpack PackAsNobody(const std::string& tar, const std::string& image,
                             const LayerLimits& limits) {
  base::UniqueFd fd(open(image.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  EXPECT_TRUE(fd) << image;
  return RunChild(
      tar, [] {}, [](pid_t) {},
      [] {
        ChildRequire(setresgid(kNobody, kNobody, kNobody) == 0 &&
                     setresuid(kNobody, kNobody, kNobody) == 0);
      },
      [&](int stream) { return Pack(stream, fd.get(), limits); });
}

absl::Status MountImage(const std::string& image, const std::string& directory) {
  if (::mount(image.c_str(), directory.c_str(), "erofs", MS_RDONLY, nullptr) == 0) {
    return absl::OkStatus();
  }
  if (errno == ENOTBLK || errno == ENODEV) {
    return absl::UnimplementedError("no EROFS mounts from files here");
  }
  return absl::InternalError(absl::StrCat("mount the image: ", strerror(errno)));
}

}  // namespace bulkhead::worker
