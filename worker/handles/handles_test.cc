// Against the kernel's own files: processes in a cgroup, which have so many things open.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/fs.h"
#include "ipc/status_codec.h"
#include "worker/handles/job.h"

namespace bulkhead::handles {
namespace {

using base::UniqueFd;

struct Seen {
  int64_t descriptors, sockets;
  bool operator==(const Seen&) const = default;
  friend void PrintTo(const Seen& seen, std::ostream* out) {
    *out << seen.descriptors << " descriptors, " << seen.sockets << " sockets";
  }
};
constexpr Seen kNotCounted = {-1, -1};

// A process that has files, and twice as many sockets as pairs, open, and nothing else.
class Holder {
 public:
  Holder(int files, int pairs) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ready[1], 0);
      close_range(1, ~0u, 0);
      for (int i = 0; i < files; ++i) open("/dev/null", O_RDONLY);
      int pair[2];
      for (int i = 0; i < pairs; ++i) (void)socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
      const bool told = write(0, "x", 1) == 1;
      close(0);
      while (told) pause();
      _exit(1);
    }
    close(ready[1]);
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_EQ(read(ready[0], &byte, 1), 0) << "closed by the child";
    close(ready[0]);
  }
  Holder(const Holder&) = delete;
  ~Holder() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

UniqueFd ListOf(absl::string_view text) {
  UniqueFd fd(memfd_create("list", MFD_CLOEXEC));
  EXPECT_TRUE(base::WriteAll(fd.get(), text).ok());
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_SET), 0);
  return fd;
}

std::vector<Seen> CountAll(std::vector<UniqueFd> lists, uint64_t most = kMaxDescriptors,
                           uint32_t patience_ms = 60000) {
  const UniqueFd proc(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  capnp::MallocMessageBuilder in, out;
  auto job = in.initRoot<schema::HandlesJob>();
  job.setPatienceMs(patience_ms);
  auto result = out.initRoot<schema::HandlesResult>();
  RunHandlesJob(job, std::move(lists), proc.get(), result, most);
  EXPECT_TRUE(ipc::ReadStatus(result.asReader().getStatus()).ok());
  std::vector<Seen> seen;
  for (const auto one : result.asReader().getCgroups()) {
    seen.push_back({one.getDescriptors(), one.getSockets()});
  }
  return seen;
}
std::vector<Seen> CountAll(const std::vector<std::string>& lists, uint64_t most = kMaxDescriptors,
                           uint32_t patience_ms = 60000) {
  std::vector<UniqueFd> fds;
  for (const std::string& list : lists) fds.push_back(ListOf(list));
  return CountAll(std::move(fds), most, patience_ms);
}

TEST(Handles, OfTheProcessesOfACgroup) {
  const absl::StatusOr<base::CgroupMode> mode = base::DetectCgroupMode();
  if (geteuid() != 0 || !mode.ok()) GTEST_SKIP() << "needs root and cgroups";
  const UniqueFd root(open(base::kCgroupMount, O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string name = absl::StrCat("bulkhead-handles-test-", getpid());
  const std::string place = *mode == base::CgroupMode::kV2 ? name : absl::StrCat("pids/", name);
  ASSERT_EQ(mkdirat(root.get(), place.c_str(), 0755), 0);
  const std::string procs = absl::StrCat(place, "/cgroup.procs");
  const auto count = [&] {
    std::vector<UniqueFd> lists;
    lists.emplace_back(openat(root.get(), procs.c_str(), O_RDONLY | O_CLOEXEC));
    return CountAll(std::move(lists)).at(0);
  };
  EXPECT_EQ(count(), (Seen{0, 0})) << "nobody is in it";
  {
    const Holder one(10, 3), other(5, 0);
    ASSERT_TRUE(base::WriteKernelFile(root.get(), procs, absl::StrCat(one.pid())).ok());
    EXPECT_EQ(count(), (Seen{16, 6}));
    ASSERT_TRUE(base::WriteKernelFile(root.get(), procs, absl::StrCat(other.pid())).ok());
    EXPECT_EQ(count(), (Seen{21, 6}));
  }
  EXPECT_EQ(unlinkat(root.get(), place.c_str(), AT_REMOVEDIR), 0);
}

TEST(Handles, OneThatHasEndedCostsNothing) {
  pid_t gone, zombie;
  {
    const Holder ended(1, 1);
    gone = ended.pid();
  }
  zombie = fork();
  if (zombie == 0) _exit(0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT), 0);
  const Holder lives(2, 1);
  EXPECT_EQ(CountAll({absl::StrCat(gone, "\n", zombie, "\n", lives.pid(), "\n")}),
            (std::vector<Seen>{{4, 2}}));
  waitpid(zombie, nullptr, 0);
}

TEST(Handles, WhatCannotBeCountedCostsItselfAlone) {
  const Holder lives(2, 1);
  const std::string list = absl::StrCat(lives.pid(), "\n");
  EXPECT_EQ(CountAll({list, "0\n", "x\n", "1/../1\n", "-1\n", list + "0\n", list}),
            (std::vector<Seen>{
                {4, 2}, kNotCounted, kNotCounted, kNotCounted, kNotCounted, kNotCounted, {4, 2}}));
  EXPECT_EQ(CountAll({std::string(2 << 20, '\n'), list}), (std::vector<Seen>{kNotCounted, {4, 2}}));
}

TEST(Handles, StopAtTheMostAndWhenTheTimeIsOver) {
  const Holder few(2, 1), many(100, 0);
  const std::string first = absl::StrCat(few.pid(), "\n"), second = absl::StrCat(many.pid(), "\n");
  EXPECT_EQ(CountAll({first, second, first}, 103),
            (std::vector<Seen>{{4, 2}, kNotCounted, kNotCounted}));
  EXPECT_EQ(CountAll({first, second}, 104), (std::vector<Seen>{{4, 2}, {100, 0}}));
  EXPECT_EQ(CountAll({first}, kMaxDescriptors, 0), (std::vector<Seen>{kNotCounted}));
}

}  // namespace
}  // namespace bulkhead::handles
