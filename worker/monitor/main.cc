// SECURITY: monitor has the container's streams, log file, exit code and listening socket, and no
// right at all: own uid, no capability, an empty root, a seccomp filter. It reads what the
// container prints, copying and never parsing it, and four fixed requests of the broker. An
// attacker who owns it can forge this container's log and exit code.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>

#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "security/enforce/enter.h"
#include "security/monitor_fds.h"
#include "security/profile.h"
#include "worker/monitor/monitor.h"

namespace bulkhead::monitor {
namespace {

constexpr size_t kMaxJobBytes = 4096;

base::UniqueFd TakeIfOpen(int fd) { return base::UniqueFd(fcntl(fd, F_GETFD) >= 0 ? fd : -1); }

absl::StatusOr<ipc::Received> ReadJob() {
  const base::UniqueFd memfd(security::kMonitorJobFd);
  struct stat st;
  if (fstat(memfd.get(), &st) != 0) return base::ErrnoStatus("stat job");
  const size_t size = static_cast<size_t>(st.st_size);
  if (size > kMaxJobBytes || size % sizeof(capnp::word) != 0) {
    return absl::DataLossError("job: bad size");
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::string bytes, base::ReadAt(memfd.get(), 0, size));
  auto words = kj::heapArray<capnp::word>(size / sizeof(capnp::word));
  memcpy(words.begin(), bytes.data(), size);
  BULKHEAD_RETURN_IF_ERROR(
      ipc::CheckSegmentTable({reinterpret_cast<const uint8_t*>(words.begin()), size}));
  return ipc::Received(kj::mv(words), {});
}

absl::Status Run() {
  base::UniqueFd control(
      security::kMonitorControlFd);  // closing it tells the broker that launch's part is over
  control.Reset();
  BULKHEAD_ASSIGN_OR_RETURN(ipc::Received received, ReadJob());
  Start start = {.listen = TakeIfOpen(security::kMonitorListenFd),
                 .pidfd = TakeIfOpen(security::kMonitorPidfdFd),
                 .out = TakeIfOpen(security::kMonitorStdoutFd),
                 .err = TakeIfOpen(security::kMonitorStderrFd),
                 .log = TakeIfOpen(security::kMonitorLogFd),
                 .in = TakeIfOpen(security::kMonitorStdinFd),
                 .memory_events = TakeIfOpen(security::kMonitorMemoryEventsFd)};
  BULKHEAD_RETURN_IF_ERROR(ipc::Guarded([&] {
    const auto job = received.As<schema::MonitorJob>();
    start.pid = job.getPid();
    start.broker_uid = job.getBrokerUid();
    start.tty = job.getTty();
    start.stdin_once = job.getStdinOnce();
  }));
  if (start.pid <= 0 || !start.listen || !start.pidfd)
    return absl::DataLossError("job: incomplete");
  return Monitor(std::move(start)).Run();
}

}  // namespace
}  // namespace bulkhead::monitor

int main() {
  bulkhead::base::SetLogProcess("monitor");
  bulkhead::security::EnterOrDie(bulkhead::security::kMonitorProfile);
  const absl::Status status = bulkhead::monitor::Run();
  if (status.ok()) return 0;
  bulkhead::base::Log(bulkhead::base::Severity::kError, "monitor ends",
                      {{"error", status.message()}});
  return 1;
}
