#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/status.h"

namespace bulkhead::test {
namespace {

std::string ReadAndRemove(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  unlink(path.c_str());
  return text.str();
}

}  // namespace

absl::StatusOr<Process> Process::Start(const std::vector<std::string>& argv, int out, int err) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = fork();
  if (pid < 0) return base::ErrnoStatus("fork");
  if (pid == 0) {
    // A test that crashes leaves nothing running.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(out >= 0 ? out : null, 1);
    dup2(err >= 0 ? err : null, 2);
    execv(words[0], words.data());
    _exit(127);
  }
  Process process;
  process.pid_ = pid;
  return process;
}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

Process::~Process() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

absl::StatusOr<int> Process::Wait(absl::Duration patience) {
  int status = 0;
  bool ended =
      Eventually(patience, [&] { return pid_ <= 0 || waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) return absl::DeadlineExceededError("still running");
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Output RunProgram(const std::vector<std::string>& argv, absl::Duration patience) {
  char out_path[] = "/tmp/bhtest-out-XXXXXX", err_path[] = "/tmp/bhtest-err-XXXXXX";
  base::UniqueFd out(mkostemp(out_path, O_CLOEXEC)), err(mkostemp(err_path, O_CLOEXEC));
  Output output;
  {
    absl::StatusOr<Process> process = Process::Start(argv, out.get(), err.get());
    absl::StatusOr<int> code = process.ok() ? process->Wait(patience) : process.status();
    if (code.ok()) output.code = *code;
  }
  output.out = ReadAndRemove(out_path);
  output.err = ReadAndRemove(err_path);
  return output;
}

}  // namespace bulkhead::test
