#include "worker/container/handover.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "schema/monitor.capnp.h"
#include "security/monitor_fds.h"
#include "security/profile.h"

namespace bulkhead::container {
namespace {

using base::UniqueFd;

constexpr char kProgram[] = "bulkhead-worker-monitor";
constexpr int kAboveAll = 64;  // no number of the monitor's table lies here or above

absl::StatusOr<UniqueFd> WriteJob(const Created& container, int cgroup_version) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::MonitorJob>();
  job.setContainerId(container.place().container_id);
  job.setPid(container.child);
  job.setTty(container.terminal);
  job.setBrokerUid(security::kBrokerUid);
  job.setStdinOnce(container.stdin_once);
  job.setCgroupVersion(static_cast<uint8_t>(cgroup_version));
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return base::MakeSealedMemfd("monitor-job",
                               {reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
}

}  // namespace

absl::StatusOr<UniqueFd> OpenMonitorProgram() {
  char self[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
  if (size <= 0 || size == sizeof(self)) return base::ErrnoStatus("name of this program");
  const std::string path(self, static_cast<size_t>(size));
  return base::OpenAt(AT_FDCWD, absl::StrCat(path.substr(0, path.rfind('/') + 1), kProgram), O_PATH,
                      base::Resolve::kHost);
}

absl::Status BecomeMonitor(const UniqueFd& program, const Created& container, int cgroup_version) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd job, WriteJob(container, cgroup_version));
  const std::pair<const UniqueFd*, int> rows[] = {
      {&container.listen, security::kMonitorListenFd},
      {&job, security::kMonitorJobFd},
      {&container.pidfd, security::kMonitorPidfdFd},
      {&container.out, security::kMonitorStdoutFd},
      {&container.err, security::kMonitorStderrFd},
      {&container.log, security::kMonitorLogFd},
      {&container.in, security::kMonitorStdinFd},
      {&container.memory_events, security::kMonitorMemoryEventsFd},
  };
  // Out of each other's way first, then to their numbers, and nothing else beside them.
  std::vector<std::pair<UniqueFd, int>> moved;
  for (const auto& [fd, number] : rows) {
    if (!*fd) continue;
    UniqueFd high(fcntl(fd->get(), F_DUPFD_CLOEXEC, kAboveAll));
    if (!high) return base::ErrnoStatus("move a descriptor");
    moved.emplace_back(std::move(high), number);
  }
  UniqueFd executable(fcntl(program.get(), F_DUPFD_CLOEXEC, kAboveAll));
  if (!executable) return base::ErrnoStatus("move a descriptor");
  if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
    return base::ErrnoStatus("close_range");
  }
  for (const auto& [fd, number] : moved) {
    if (dup2(fd.get(), number) < 0) return base::ErrnoStatus("place a descriptor");
  }
  char* const argv[] = {const_cast<char*>(kProgram), nullptr};
  char* const environment[] = {nullptr};
  syscall(SYS_execveat, executable.get(), "", argv, environment, AT_EMPTY_PATH);
  return base::ErrnoStatus("execute the monitor");
}

}  // namespace bulkhead::container
