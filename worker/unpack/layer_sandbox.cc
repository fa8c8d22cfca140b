#include "worker/unpack/layer_sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/unique_fd.h"
#include "security/layer_ids.h"
#include "security/profile.h"

namespace bulkhead::worker {
namespace {

struct Report {
  int code;
  Unpacked unpacked;
  char message[512];
};

void ChildRequire(bool ok) {
  if (!ok) _exit(99);
}

[[noreturn]] void Child(int go, int ready, int tar, int report, const std::string& directory,
                        const UnpackLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ChildRequire(fd >= 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
  char byte = 0;
  ChildRequire(write(ready, &byte, 1) == 1 && read(go, &byte, 1) == 1);
  ChildRequire(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
  umask(077);
  absl::StatusOr<Unpacked> result = Unpack(tar, fd, limits);
  Report out = {};
  out.code = static_cast<int>(result.status().code());
  if (result.ok()) out.unpacked = *result;
  std::string message(result.status().message());
  strncpy(out.message, message.c_str(), sizeof(out.message) - 1);
  ChildRequire(write(report, &out, sizeof(out)) == sizeof(out));
  _exit(0);
}

void MapIds(pid_t child) {
  std::string map =
      absl::StrCat("0 ", security::kLayerIdShift, " ", security::kLayerIdCount, "\n",
                   security::kLayerBrokerInnerId, " ", security::kBrokerUid, " 1\n");
  for (const char* which : {"uid_map", "gid_map"}) {
    std::string path = absl::StrCat("/proc/", child, "/", which);
    base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(write(fd.get(), map.data(), map.size()), static_cast<ssize_t>(map.size()));
  }
}

}  // namespace

SandboxedUnpack UnpackInNamespace(const std::string& tar, const std::string& directory,
                                  const UnpackLimits& limits) {
  base::FdPair go = *base::MakePipe();
  base::FdPair ready = *base::MakePipe();
  base::FdPair stream = *base::MakePipe();
  base::FdPair report = *base::MakePipe();
  EXPECT_EQ(chown(directory.c_str(), security::kBrokerUid, security::kBrokerUid), 0);
  EXPECT_EQ(chmod(directory.c_str(), 0700), 0);
  pid_t child = fork();
  if (child == 0) {
    stream.second.Reset();  // or the end of the stream would never be seen
    Child(go.first.get(), ready.second.get(), stream.first.get(), report.second.get(), directory,
          limits);
  }
  stream.first.Reset();
  report.second.Reset();
  ready.second.Reset();
  char byte;
  EXPECT_EQ(read(ready.first.get(), &byte, 1), 1);
  MapIds(child);
  EXPECT_EQ(write(go.second.get(), "x", 1), 1);
  signal(SIGPIPE, SIG_IGN);  // a refused tar is not read to its end
  (void)base::WriteAll(stream.second.get(), tar);
  stream.second.Reset();
  Report got = {};
  EXPECT_EQ(read(report.first.get(), &got, sizeof(got)), static_cast<ssize_t>(sizeof(got)));
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return {absl::Status(static_cast<absl::StatusCode>(got.code), got.message), got.unpacked};
}

}  // namespace bulkhead::worker
