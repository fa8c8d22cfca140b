#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/deadline.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "tools/host/host.h"

namespace bulkhead::tools {
namespace {

constexpr size_t kMaxVersionBytes = 4096;
constexpr size_t kMaxFeaturesBytes = 256 << 10;
constexpr size_t kMaxLineBytes = 128;
constexpr absl::Duration kPatience = absl::Seconds(5);

// Starts `path argument` with an almost empty environment, no signal blocked and out as standard
// output.
absl::StatusOr<pid_t> StartProgram(const std::string& path, std::string argument, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path_variable, nullptr};
  std::string argv0 = path;
  char* argv[] = {argv0.data(), argument.data(), nullptr};
  pid_t pid = -1;
  int error = posix_spawn(&pid, path.c_str(), &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return base::ErrnoStatus(absl::StrCat("run ", path), error);
  return pid;
}

// Up to max bytes, until the program closes its end.
absl::StatusOr<std::string> ReadOutput(int fd, size_t max, base::Deadline deadline) {
  std::string out;
  while (out.size() < max) {
    pollfd wait = {fd, POLLIN, 0};
    int ready = poll(&wait, 1, deadline.PollTimeout());
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return absl::DeadlineExceededError("no answer within 5 s");
    char buffer[1024];
    ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::ErrnoStatus("read");
    if (n == 0) break;
    out.append(buffer, n);
  }
  return out;
}

absl::StatusOr<std::string> OutputOf(const std::string& path, const char* argument, size_t max) {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pipe, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(pid_t pid, StartProgram(path, argument, pipe.second.get()));
  pipe.second.Reset();
  absl::StatusOr<std::string> output =
      ReadOutput(pipe.first.get(), max, base::Deadline::After(kPatience));
  // It has closed its output or had its time: either way it has nothing more to say.
  kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return output;
}

absl::StatusOr<std::string> FirstLine(absl::string_view output) {
  std::string line(absl::StripAsciiWhitespace(output.substr(0, output.find('\n'))));
  if (line.empty() || line.size() > kMaxLineBytes) return absl::InternalError("no version printed");
  for (char c : line) {
    if (!absl::ascii_isprint(c)) return absl::InternalError("version is not plain text");
  }
  return line;
}

}  // namespace

absl::StatusOr<std::string> RuntimeVersion(const std::string& path) {
  absl::StatusOr<std::string> output = OutputOf(path, "--version", kMaxVersionBytes);
  absl::string_view what = path;
  if (!output.ok()) return base::Annotate(output.status(), absl::StrCat(what, " --version"));
  absl::StatusOr<std::string> line = FirstLine(*output);
  if (!line.ok()) return base::Annotate(line.status(), absl::StrCat(what, " --version"));
  return line;
}

RuntimeFeatures AskFeatures(const std::string& path) {
  absl::StatusOr<std::string> output = OutputOf(path, "features", kMaxFeaturesBytes);
  return output.ok() ? ParseFeatures(*output) : RuntimeFeatures();
}

}  // namespace bulkhead::tools
