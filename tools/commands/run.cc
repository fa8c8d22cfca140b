#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "tools/client/cri.h"
#include "tools/client/pod_run.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {
namespace {

constexpr int kExitSignalBase = 128;  // as shells report a death by signal

// Waits for SIGINT, SIGTERM or SIGHUP on a thread of its own and cancels the client's calls. They
// must be blocked in all threads.
class Interrupter {
 public:
  Interrupter(CriClient& client, const sigset_t& set)
      : thread_([this, &client, set] {
          int number = 0;
          if (sigwait(&set, &number) != 0 || done_) return;
          signal_ = number;
          client.Cancel();
        }) {}
  ~Interrupter() {
    done_ = true;
    // Where a signal came already, nobody waits for this one and it ends with the thread.
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }
  // 0: none came.
  int signal() const { return signal_; }

 private:
  std::atomic<bool> done_ = false;
  std::atomic<int> signal_ = 0;
  std::thread thread_;
};

absl::StatusOr<std::string> MakeLogDirectory(const Settings& settings) {
  std::string name = absl::StrCat(settings.run_dir, "/run-XXXXXX");
  if (mkdtemp(name.data()) == nullptr) return base::ErrnoStatus(absl::StrCat("mkdir ", name));
  return name;
}

void WriteOutput(LogStream stream, absl::string_view bytes) {
  // Where nobody reads any more, the container still runs to its end.
  base::WriteAll(stream == LogStream::kStdout ? 1 : 2, bytes).IgnoreError();
}

int RunPod(const Settings& settings, RunRequest request) {
  // From here on an interrupt is asked for, so that nothing is left behind.
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  absl::StatusOr<std::string> logs = MakeLogDirectory(settings);
  if (!logs.ok()) return Fail(logs.status());
  absl::Cleanup remove_logs = [&logs] {
    std::error_code ignored;
    std::filesystem::remove_all(*logs, ignored);
  };
  request.log_directory = *logs;
  CriClient client(CriSocket(settings));
  Interrupter interrupter(client, set);
  PodRun run(client, std::move(request));
  absl::StatusOr<int> code = run.Run(WriteOutput);
  absl::Status cleaned = run.CleanUp();
  if (interrupter.signal() != 0) return kExitSignalBase + interrupter.signal();
  if (!code.ok()) return Fail(code.status());
  if (!cleaned.ok()) return Fail(base::Annotate(cleaned, "clean up"));
  return *code;
}

}  // namespace

int RunRun(Words words) {
  std::string file, network = "host";
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"network", "host|cni", "whose network the pod has (default host)", &network, nullptr},
  };
  const Usage usage = {
      "run [--network host|cni] IMAGE [-- COMMAND...]",
      "Runs a pod with one container: pulls the image where it is missing, streams the\n"
      "container's output, ends with its exit code and removes the pod.",
      options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  if (parsed.words.size() != 1) {
    return FailUsage(usage, absl::InvalidArgumentError("run: needs one image"));
  }
  if (network != "host" && network != "cni") {
    return FailUsage(usage, absl::InvalidArgumentError("--network: host or cni"));
  }
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  return RunPod(*settings, {parsed.words[0], parsed.behind, network == "host", ""});
}

}  // namespace bulkhead::tools
