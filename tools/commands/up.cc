#include <capnp/message.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/erofs_probe.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "tools/client/admin.h"
#include "tools/commands/commands.h"
#include "tools/config/encode.h"
#include "tools/config/encode_registries.h"
#include "tools/host/host.h"
#include "tools/up/directories.h"
#include "tools/up/pod_policy.h"
#include "tools/up/sockets.h"
#include "tools/up/streaming_socket.h"
#include "tools/up/supervisor.h"

namespace bulkhead::tools {
namespace {

// As containerd and CRI-O have it.
constexpr char kOomScoreAdj[] = "-999";

// Descriptors that live as long as the supervisor does.
struct Held {
  base::UniqueFd root_lock;
  base::UniqueFd run_lock;
  bool socket_is_handed = false;  // the service manager's, which keeps it
};

void Ignore(int) {}

// Blocked signals go to the supervisor's signalfd. SIGPIPE gets a handler rather than SIG_IGN,
// which children would inherit, and with them every container.
void PrepareSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  struct sigaction action = {};
  action.sa_handler = Ignore;
  sigaction(SIGPIPE, &action, nullptr);
}

FoundRuntimes FindRuntimes(const Settings& settings) {
  FoundRuntimes found;
  for (const auto& [name, runtime] : settings.runtimes) {
    absl::StatusOr<std::string> version = RuntimeVersion(runtime.path);
    if (!version.ok()) {
      base::Log(base::Severity::kWarning, "runtime not usable",
                {{"runtime", name}, {"error", version.status().ToString()}});
      continue;
    }
    RuntimeFeatures features =
        runtime.type == "lxc" ? RuntimeFeatures() : AskFeatures(runtime.path);
    base::Log(base::Severity::kInfo, "runtime",
              {{"runtime", name},
               {"version", *version},
               {"oci", features.known ? features.oci_version_max : "does not say"}});
    for (const std::string& hole : KnownHoles(*version)) {
      base::Log(base::Severity::kWarning, "runtime has a known hole",
                {{"runtime", name}, {"version", *version}, {"hole", hole}});
    }
    found[name] = {*std::move(version), std::move(features)};
  }
  return found;
}

absl::Status DecideLayerDriver(const Settings& settings, Host* host) {
  host->erofs_layers = base::ProbeErofs((settings.root_dir + "/layers").c_str());
  if (settings.layers.driver == "erofs" && !host->erofs_layers.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("layers.driver: erofs: ", host->erofs_layers.message()));
  }
  const bool image = settings.layers.driver == "erofs" ||
                     (settings.layers.driver == "auto" && host->erofs_layers.ok());
  base::Log(base::Severity::kInfo, "layer driver",
            {{"driver", image ? "erofs" : "dir"},
             {"erofs", host->erofs_layers.ok() ? "works" : host->erofs_layers.message()}});
  return absl::OkStatus();
}

absl::StatusOr<base::UniqueFd> PrepareConfig(const Settings& settings,
                                             const std::string& streaming_url) {
  BULKHEAD_ASSIGN_OR_RETURN(Host host, DetectHost(settings.cgroup_driver));
  BULKHEAD_RETURN_IF_ERROR(DecideLayerDriver(settings, &host));
  capnp::MallocMessageBuilder message;
  auto config = message.initRoot<schema::Config>();
  EncodeConfig(settings, host, FindRuntimes(settings), config);
  config.getStreaming().setUrl(streaming_url);
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

absl::StatusOr<base::UniqueFd> LoadRegistries(const std::string& config_file) {
  BULKHEAD_ASSIGN_OR_RETURN(Settings settings, LoadSettings(config_file));
  return RegistriesMemfd(settings);
}

// Workers have it first: where it gets narrower, nothing that the broker still lets pass comes
// through.
// at_start: which runtimes there are, and where, counts from there on.
absl::StatusOr<base::UniqueFd> PreparePolicy(security::PodPolicies policies,
                                             const Settings& at_start) {
  for (const auto& [name, runtime] : at_start.runtimes) policies.programs[name] = runtime.path;
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd memfd, PodPolicyMemfd(policies));
  BULKHEAD_RETURN_IF_ERROR(PublishPodPolicy(at_start.run_dir, policies));
  return memfd;
}

absl::StatusOr<base::UniqueFd> LoadPolicy(const std::string& config_file,
                                          const Settings& at_start) {
  BULKHEAD_ASSIGN_OR_RETURN(Settings settings, LoadSettings(config_file));
  return PreparePolicy(std::move(settings.pod_policies), at_start);
}

absl::StatusOr<Supervisor::Parts> PrepareParts(const std::string& config_file,
                                               const Settings& settings, Held* held) {
  BULKHEAD_RETURN_IF_ERROR(PrepareDirectories(settings));
  BULKHEAD_ASSIGN_OR_RETURN(held->root_lock, LockDirectory(settings.root_dir));
  BULKHEAD_ASSIGN_OR_RETURN(held->run_lock, LockDirectory(settings.run_dir));
  Supervisor::Parts parts;
  BULKHEAD_ASSIGN_OR_RETURN(parts.programs, OpenPrograms());
  BULKHEAD_ASSIGN_OR_RETURN(StreamingSocket streaming, ListenForStreams(settings.streaming));
  BULKHEAD_ASSIGN_OR_RETURN(parts.config, PrepareConfig(settings, streaming.url));
  parts.streaming_socket = std::move(streaming.listen);
  parts.streaming_tls = std::move(streaming.tls);
  BULKHEAD_ASSIGN_OR_RETURN(parts.registries, RegistriesMemfd(settings));
  parts.load_registries = [config_file] { return LoadRegistries(config_file); };
  BULKHEAD_ASSIGN_OR_RETURN(parts.policy, PreparePolicy(settings.pod_policies, settings));
  parts.load_policy = [config_file, settings] { return LoadPolicy(config_file, settings); };
  // Others than root can only be let in where the file mode does; the frontend then checks each
  // peer.
  mode_t mode = settings.allowed_uids.empty() ? 0660 : 0666;
  parts.cri_path = CriSocket(settings);
  BULKHEAD_ASSIGN_OR_RETURN(parts.cri_socket, TakeHandedSocket(parts.cri_path));
  held->socket_is_handed = static_cast<bool>(parts.cri_socket);
  if (!held->socket_is_handed) {
    BULKHEAD_ASSIGN_OR_RETURN(parts.cri_socket, ListenAt(parts.cri_path, mode));
  } else if (chmod(parts.cri_path.c_str(), mode) != 0) {
    return base::ErrnoStatus(absl::StrCat("chmod ", parts.cri_path));
  }
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

int Serve(const std::string& config_file, const Settings& settings, bool stop_containers) {
  Held held;
  absl::StatusOr<Supervisor::Parts> parts = PrepareParts(config_file, settings, &held);
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
  if (!held.socket_is_handed) unlink(CriSocket(settings).c_str());
  unlink(AdminSocket(settings).c_str());
  WithdrawPodPolicy(settings.run_dir);
  return stopped.ok() ? 0 : Fail(base::Annotate(stopped, "stop containers"));
}

// Containers say for themselves how likely they are to be killed for want of memory; what all of
// them depend on goes last. Inherited by daemons, workers and monitors. Without CAP_SYS_RESOURCE
// nobody can go below where he began.
void ProtectFromOomKiller() {
  const absl::Status status =
      base::WriteKernelFile(AT_FDCWD, "/proc/self/oom_score_adj", kOomScoreAdj);
  if (status.ok()) return;
  base::Log(base::Severity::kInfo, "could not lower the own likelihood of being killed",
            {{"why", status.message()}});
}

}  // namespace

int RunUp(Words words) {
  std::string file;
  bool stop_containers = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"stop-containers", nullptr, "at the end, stop all pods as well", nullptr, &stop_containers},
  };
  const Usage usage = {
      "up [--config FILE] [--stop-containers]",
      "Starts the runtime's processes, checks that each one is confined, prints\n"
      "\"ready\" and the CRI socket, and supervises them until SIGTERM. On SIGHUP\n"
      "it reads again how registries are reached, and the policy of pods.",
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
  ProtectFromOomKiller();
  return Serve(file, *settings, stop_containers);
}

}  // namespace bulkhead::tools
