#include "worker/container/exec.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fs.h"
#include "base/status.h"
#include "worker/container/process_tree.h"

namespace bulkhead::container {
namespace {

using base::Deadline;
using base::UniqueFd;

// Where the broker set no limit.
constexpr absl::Duration kLongest = absl::Hours(24);
// After the command's end, for a child of it that still holds a stream.
constexpr absl::Duration kDrainPatience = absl::Milliseconds(200);
// A killed command's runtime ends at once, or is killed too.
constexpr absl::Duration kEndPatience = absl::Seconds(2);
constexpr uint32_t kMaxOutputBytes = 16 << 20;
constexpr size_t kReadBytes = 64 << 10;

// One stream of the command, read until its end.
class Collector {
 public:
  explicit Collector(size_t limit) : limit_(limit) {}
  absl::Status Open() {
    BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pipe, base::MakePipe());
    read_ = std::move(pipe.first);
    write_ = std::move(pipe.second);
    return absl::OkStatus();
  }
  int fd() const { return read_.get(); }
  int child_end() const { return write_.get(); }
  void CloseChildEnd() { write_.Reset(); }
  void ReadSome() {
    static char buffer[kReadBytes];
    const ssize_t got = read(read_.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) return read_.Reset();
    text_.append(buffer, std::min(static_cast<size_t>(got), limit_ - text_.size()));
  }
  std::string Take() { return std::move(text_); }

 private:
  const size_t limit_;
  UniqueFd read_, write_;
  std::string text_;
};

// Collects until both streams and the runtime have ended, or the runtime has and the patience too.
// False: the deadline passed while the command ran.
bool Collect(Run& run, Collector& out, Collector& err, Deadline deadline) {
  bool running = true;
  while (running || out.fd() >= 0 || err.fd() >= 0) {
    pollfd entries[] = {
        {out.fd(), POLLIN, 0}, {err.fd(), POLLIN, 0}, {running ? run.pidfd() : -1, POLLIN, 0}};
    const int ready = poll(entries, std::size(entries), deadline.PollTimeout());
    if (entries[0].revents != 0 && ready > 0) out.ReadSome();
    if (entries[1].revents != 0 && ready > 0) err.ReadSome();
    if (entries[2].revents != 0 && ready > 0) {
      running = false;
      deadline = Deadline::After(kDrainPatience);
    }
    if (deadline.Passed()) return !running;
  }
  return true;
}

// A command that could not be executed is left by the runtime as an ended process. Unless somebody
// waits for it, the container's pid namespace cannot end either.
void ReapOrphans() {
  const Deadline deadline = Deadline::After(kDrainPatience);
  for (;;) {
    const pid_t pid = waitpid(-1, nullptr, WNOHANG);
    if (pid < 0 || deadline.Passed()) return;
    if (pid == 0) absl::SleepFor(absl::Milliseconds(1));
  }
}

// The runtime, the command and what descends from it: this process is the subreaper of them all.
// Then what was put into the background.
void KillCommand(Run& run, uint64_t mark, const std::string& container_id) {
  KillDescendants();
  KillMarked(mark, container_id);
  run.Wait(Deadline::After(kEndPatience)).IgnoreError();
}

absl::StatusOr<ExecOutput> Execute(schema::LaunchJob::Reader job, const Place& place,
                                   Runtime& runtime) {
  const schema::LaunchJob::Exec::Reader exec = job.getExec();
  if (exec.getProcess().getTerminal()) {
    return absl::UnimplementedError("exec: no terminal without a stream");
  }
  const uint64_t mark = NewMark();
  const size_t limit = std::min(exec.getMaxOutputBytes(), kMaxOutputBytes);
  Collector out(limit), err(limit);
  BULKHEAD_RETURN_IF_ERROR(out.Open());
  BULKHEAD_RETURN_IF_ERROR(err.Open());
  const Deadline deadline = Deadline::After(
      exec.getTimeoutMs() == 0 ? kLongest : absl::Milliseconds(exec.getTimeoutMs()));
  BULKHEAD_ASSIGN_OR_RETURN(
      Run run, runtime.Exec(exec.getProcess(), mark,
                            {.in = -1, .out = out.child_end(), .err = err.child_end()}));
  out.CloseChildEnd();
  err.CloseChildEnd();
  if (!Collect(run, out, err, deadline)) {
    KillCommand(run, mark, place.container_id);
    return absl::DeadlineExceededError("exec: the command did not end in time and was killed");
  }
  BULKHEAD_ASSIGN_OR_RETURN(const int code, run.Wait(Deadline::After(kEndPatience)));
  // The runtime's own log is empty where it was the command that failed.
  const std::string complaint = run.Complaint();
  if (code != 0 && !complaint.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("exec: ", complaint));
  }
  return ExecOutput{out.Take(), err.Take(), code};
}

}  // namespace

absl::StatusOr<ExecOutput> ExecInContainer(schema::LaunchJob::Reader job, const Place& place,
                                           Runtime& runtime) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return base::ErrnoStatus("become subreaper");
  }
  absl::StatusOr<ExecOutput> output = Execute(job, place, runtime);
  ReapOrphans();
  return output;
}

}  // namespace bulkhead::container
