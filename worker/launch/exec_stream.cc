#include "worker/launch/exec_stream.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/exec_protocol.h"
#include "worker/launch/exec.h"
#include "worker/launch/process_tree.h"
#include "worker/launch/runtime.h"

namespace bulkhead::launch {
namespace {

using base::UniqueFd;

constexpr absl::Duration kStartPatience = absl::Seconds(30);

Stdio::Wanted WantedOf(schema::LaunchJob::ExecStream::Reader exec) {
  return {.terminal = exec.getProcess().getTerminal(),
          .in = exec.getStdin(),
          .out = exec.getStdout(),
          .err = exec.getStderr()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamedExec>> StreamedExec::Start(schema::LaunchJob::Reader job,
                                                                  const Place& place) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return base::ErrnoStatus("become subreaper");
  }
  std::unique_ptr<StreamedExec> exec(new StreamedExec());
  BULKHEAD_RETURN_IF_ERROR(exec->Run(job, place));
  return exec;
}

StreamedExec::~StreamedExec() { Kill(); }

// The runtime ends when the command runs, which makes it this process's child.
absl::Status StreamedExec::Run(schema::LaunchJob::Reader job, const Place& place) {
  const schema::LaunchJob::ExecStream::Reader exec = job.getExecStream();
  BULKHEAD_ASSIGN_OR_RETURN(Runtime runtime, Runtime::Open(job, place));
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd process, ProcessFile(exec.getProcess(), place, 0));
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pair, base::MakeSocketPair(SOCK_SEQPACKET));
  ours_ = std::move(pair.first);
  theirs_ = std::move(pair.second);
  terminal_ = exec.getProcess().getTerminal();
  BULKHEAD_ASSIGN_OR_RETURN(stdio_, Stdio::Make(WantedOf(exec)));
  const std::string pid_file = absl::StrCat("exec-", getpid());
  const std::string pid_path = absl::StrCat(place.bundle, "/", pid_file);
  absl::Cleanup unlink_pid = [&pid_path] { unlink(pid_path.c_str()); };
  std::vector<std::string> arguments = {
      "exec", "--detach", "--process", PathForChildren(process.get()), "--pid-file", pid_path};
  if (const std::string console = stdio_.ConsolePath(); !console.empty()) {
    arguments.insert(arguments.end(), {"--console-socket", console});
  }
  arguments.push_back(place.container_id);
  BULKHEAD_ASSIGN_OR_RETURN(Runtime::Run run, runtime.Start(arguments, stdio_.Streams()));
  BULKHEAD_ASSIGN_OR_RETURN(const int code, run.Wait(base::Deadline::After(kStartPatience)));
  if (code != 0) return absl::FailedPreconditionError(absl::StrCat("exec: ", run.Complaint()));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string pid, ReadBundleFile(place, pid_file));
  if (!absl::SimpleAtoi(pid, &pid_) || pid_ <= 1) {
    return absl::InternalError("exec: the runtime wrote no pid");
  }
  // Our child, so the number stays its own until we wait for it.
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) return base::ErrnoStatus("pidfd of the command");
  return stdio_.Finish();
}

std::vector<int> StreamedExec::ClientFds() const {
  std::vector<int> fds = {theirs_.get()};
  if (terminal_) {
    fds.push_back(stdio_.out.get());
    return fds;
  }
  for (const UniqueFd* fd : {&stdio_.in, &stdio_.out, &stdio_.err}) {
    if (*fd) fds.push_back(fd->get());
  }
  return fds;
}

void StreamedExec::Serve() {
  stdio_ = Stdio();
  theirs_.Reset();
  pollfd entries[] = {{pidfd_.get(), POLLIN, 0}, {ours_.get(), 0, 0}};
  while (poll(entries, std::size(entries), -1) < 0 && errno == EINTR) {
  }
  if (entries[0].revents == 0) return Kill();
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return;
  pid_ = -1;
  const ipc::ExecEnd end = {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)};
  send(ours_.get(), &end, sizeof(end), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void StreamedExec::Kill() {
  if (pid_ <= 0) return;
  KillDescendants();
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace bulkhead::launch
