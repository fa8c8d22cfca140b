#include "worker/userinit/start.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/status.h"
#include "security/enforce/enter.h"
#include "worker/init/init.h"

namespace bulkhead::userinit {
namespace {

using base::UniqueFd;

struct Pipes {
  base::FdPair answer;  // the helper's
  base::FdPair ready;   // a byte of process 1
};

// The helper's, in one write that a pipe keeps whole.
struct Answer {
  int error = 0;   // errno
  int pidfd = -1;  // number in the table of descriptors that both share
};

[[noreturn]] void BeFirst(int ready) {
  if (syscall(SYS_close_range, 3, ready - 1, 0) != 0) _exit(1);
  if (syscall(SYS_close_range, ready + 1, ~0u, 0) != 0) _exit(1);
  // Capabilities go with uid 0 of the namespace that they are for; until here it has the node's.
  if (syscall(SYS_setresuid, 0, 0, 0) != 0) _exit(1);
  security::BecomeOrDie(security::kInitProfile);
  if (write(ready, "r", 1) != 1) _exit(1);
  close(ready);
  init::ServeOrphans();
}

// Whoever enters a user namespace cannot come back: so not the caller itself, which is to know the
// broker by its uid. Process 1 becomes the caller's child nevertheless (CLONE_PARENT).
[[noreturn]] void Help(int user_namespace, const Pipes& pipes) {
  Answer answer;
  if (setns(user_namespace, CLONE_NEWUSER) != 0) {
    answer.error = errno;
  } else {
    const long first = syscall(SYS_clone, CLONE_NEWPID | CLONE_PARENT | CLONE_PIDFD | SIGCHLD,
                               nullptr, &answer.pidfd, nullptr, 0);
    if (first == 0) BeFirst(pipes.ready.second.get());
    if (first < 0) answer.error = errno;
  }
  const ssize_t put = write(pipes.answer.second.get(), &answer, sizeof(answer));
  _exit(put == sizeof(answer) ? 0 : 1);
}

absl::StatusOr<Answer> RunHelper(int user_namespace, const Pipes& pipes) {
  const long helper = syscall(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (helper < 0) return base::ErrnoStatus("clone");
  if (helper == 0) Help(user_namespace, pipes);
  int ended = 0;
  pid_t pid;
  do {
    pid = waitpid(static_cast<pid_t>(helper), &ended, 0);
  } while (pid < 0 && errno == EINTR);
  Answer answer;
  if (pid < 0 || !WIFEXITED(ended) || WEXITSTATUS(ended) != 0 ||
      read(pipes.answer.first.get(), &answer, sizeof(answer)) != sizeof(answer)) {
    return absl::InternalError("enter the pod's user namespace: the helper ended early");
  }
  return answer;
}

}  // namespace

absl::StatusOr<UniqueFd> StartFirstProcess(int user_namespace) {
  Pipes pipes;
  BULKHEAD_ASSIGN_OR_RETURN(pipes.answer, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(pipes.ready, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(const Answer answer, RunHelper(user_namespace, pipes));
  UniqueFd first(answer.pidfd);
  if (answer.error != 0) {
    return base::ErrnoStatus("start a process in the pod's user namespace", answer.error);
  }
  pipes.ready.second.Reset();  // only process 1 has it now
  char byte;
  if (!first || read(pipes.ready.first.get(), &byte, 1) != 1) {
    return absl::InternalError("the pod's process 1 could not confine itself");
  }
  return first;
}

}  // namespace bulkhead::userinit
