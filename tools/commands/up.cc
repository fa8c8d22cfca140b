#include <capnp/message.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "tools/client/admin.h"
#include "tools/commands/commands.h"
#include "tools/config/encode.h"
#include "tools/host/host.h"
#include "tools/up/directories.h"
#include "tools/up/sockets.h"
#include "tools/up/supervisor.h"

namespace bulkhead::tools {
namespace {

// Descriptors that live as long as the supervisor does.
struct Held {
  base::UniqueFd root_lock;
  base::UniqueFd run_lock;
};

void Ignore(int) {}

// Blocked signals go to the supervisor's signalfd. SIGPIPE gets a handler rather than SIG_IGN,
// which children would inherit, and with them every container.
void PrepareSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  struct sigaction action = {};
  action.sa_handler = Ignore;
  sigaction(SIGPIPE, &action, nullptr);
}

RuntimeVersions FindRuntimes(const Settings& settings) {
  RuntimeVersions versions;
  for (const auto& [name, runtime] : settings.runtimes) {
    absl::StatusOr<std::string> version = RuntimeVersion(runtime.path);
    if (!version.ok()) {
      base::Log(base::Severity::kWarning, "runtime not usable",
                {{"runtime", name}, {"error", version.status().ToString()}});
      continue;
    }
    base::Log(base::Severity::kInfo, "runtime", {{"runtime", name}, {"version", *version}});
    for (const std::string& hole : KnownHoles(*version)) {
      base::Log(base::Severity::kWarning, "runtime has a known hole",
                {{"runtime", name}, {"version", *version}, {"hole", hole}});
    }
    versions[name] = *std::move(version);
  }
  return versions;
}

absl::StatusOr<base::UniqueFd> PrepareConfig(const Settings& settings) {
  BULKHEAD_ASSIGN_OR_RETURN(Host host, DetectHost());
  capnp::MallocMessageBuilder message;
  EncodeConfig(settings, host, FindRuntimes(settings), message.initRoot<schema::Config>());
  return ConfigMemfd(message);
}

// The programs lie beside this one, wherever that is.
absl::StatusOr<base::UniqueFd> OpenPrograms() {
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (length <= 0) return base::ErrnoStatus("read /proc/self/exe");
  std::string path(self, length);
  return base::OpenAt(AT_FDCWD, path.substr(0, path.rfind('/')), O_PATH | O_DIRECTORY,
                      base::Resolve::kHost);
}

absl::StatusOr<Supervisor::Parts> PrepareParts(const Settings& settings, Held* held) {
  BULKHEAD_RETURN_IF_ERROR(PrepareDirectories(settings));
  BULKHEAD_ASSIGN_OR_RETURN(held->root_lock, LockDirectory(settings.root_dir));
  BULKHEAD_ASSIGN_OR_RETURN(held->run_lock, LockDirectory(settings.run_dir));
  Supervisor::Parts parts;
  BULKHEAD_ASSIGN_OR_RETURN(parts.programs, OpenPrograms());
  BULKHEAD_ASSIGN_OR_RETURN(parts.config, PrepareConfig(settings));
  // Others than root can only be let in where the file mode does; the frontend then checks each
  // peer.
  mode_t mode = settings.allowed_uids.empty() ? 0660 : 0666;
  BULKHEAD_ASSIGN_OR_RETURN(parts.cri_socket, ListenAt(CriSocket(settings), mode));
  BULKHEAD_ASSIGN_OR_RETURN(parts.admin_socket, ListenAt(AdminSocket(settings), 0600));
  if (settings.audit) {
    BULKHEAD_ASSIGN_OR_RETURN(
        parts.audit_directory,
        base::OpenAt(AT_FDCWD, settings.root_dir + "/audit", O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                     base::Resolve::kHost));
  }
  parts.network_dir = settings.cni_conf_dir;
  parts.places = {settings.root_dir, settings.run_dir};
  return parts;
}

int Serve(const Settings& settings, bool stop_containers) {
  Held held;
  absl::StatusOr<Supervisor::Parts> parts = PrepareParts(settings, &held);
  if (!parts.ok()) return Fail(parts.status());
  Supervisor supervisor(*std::move(parts));
  absl::Status started = supervisor.Start();
  if (absl::IsCancelled(started)) return 0;
  if (!started.ok()) return Fail(started);
  printf("ready\n%s\n", CriSocket(settings).c_str());
  fflush(stdout);
  NotifyManager("READY=1");

  supervisor.Run();
  NotifyManager("STOPPING=1");
  absl::Status stopped;
  if (stop_containers) stopped = AdminStopAll(AdminSocket(settings));
  supervisor.Stop();
  unlink(CriSocket(settings).c_str());
  unlink(AdminSocket(settings).c_str());
  return stopped.ok() ? 0 : Fail(base::Annotate(stopped, "stop containers"));
}

}  // namespace

int RunUp(Words words) {
  std::string file;
  bool stop_containers = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"stop-containers", nullptr, "at the end, stop all pods as well", nullptr, &stop_containers},
  };
  const Usage usage = {"up [--config FILE] [--stop-containers]",
                       "Starts the runtime's processes, checks that each one is confined, prints\n"
                       "\"ready\" and the CRI socket, and supervises them until SIGTERM.",
                       options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  if (!parsed.words.empty()) {
    return FailUsage(usage, absl::InvalidArgumentError("up: takes no words"));
  }
  if (geteuid() != 0) return Fail(absl::PermissionDeniedError("up: only root can start it"));
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());
  // The monitors of running containers become children of this process when the spawner ends, and
  // are reaped here.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  umask(022);
  PrepareSignals();
  return Serve(*settings, stop_containers);
}

}  // namespace bulkhead::tools
