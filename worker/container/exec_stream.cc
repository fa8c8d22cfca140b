#include "worker/container/exec_stream.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/status.h"
#include "ipc/exec_protocol.h"
#include "worker/container/process_tree.h"

namespace bulkhead::container {
namespace {

using base::UniqueFd;

Stdio::Wanted WantedOf(schema::LaunchJob::ExecStream::Reader exec) {
  return {.terminal = exec.getProcess().getTerminal(),
          .in = exec.getStdin(),
          .out = exec.getStdout(),
          .err = exec.getStderr()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamedExec>> StreamedExec::Start(schema::LaunchJob::Reader job,
                                                                  Runtime& runtime) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return base::ErrnoStatus("become subreaper");
  }
  std::unique_ptr<StreamedExec> exec(new StreamedExec());
  BULKHEAD_RETURN_IF_ERROR(exec->Launch(job, runtime));
  return exec;
}

StreamedExec::~StreamedExec() { Kill(); }

absl::Status StreamedExec::Launch(schema::LaunchJob::Reader job, Runtime& runtime) {
  const schema::LaunchJob::ExecStream::Reader exec = job.getExecStream();
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pair, base::MakeSocketPair(SOCK_SEQPACKET));
  ours_ = std::move(pair.first);
  theirs_ = std::move(pair.second);
  terminal_ = exec.getProcess().getTerminal();
  BULKHEAD_ASSIGN_OR_RETURN(stdio_, Stdio::Make(WantedOf(exec)));
  BULKHEAD_ASSIGN_OR_RETURN(
      pid_, runtime.ExecDetached(exec.getProcess(), stdio_.ChildEnds(), stdio_.ConsolePath()));
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

}  // namespace bulkhead::container
