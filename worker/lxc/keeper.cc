#include "worker/lxc/keeper.h"

#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/send_fd.h"
#include "worker/lxc/cgroups.h"
#include "worker/lxc/lxc_config.h"
#include "worker/lxc/powers.h"

namespace bulkhead::lxc {
namespace {

using base::UniqueFd;

constexpr char kLocks[] = "/run/lxc";
constexpr int kNeverRan = 128;  // as kubelet says it of containers that cannot run

// number: its name below /dev/pts.
absl::Status MakeTerminal(const KeeperJob& job, int* number) {
  const UniqueFd master(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  int unlock = 0;
  if (!master || ioctl(master.get(), TIOCSPTLCK, &unlock) != 0 ||
      ioctl(master.get(), TIOCGPTN, number) != 0) {
    return base::ErrnoStatus("make a terminal");
  }
  const UniqueFd slave(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return base::ErrnoStatus("open the terminal");
  if (fchown(slave.get(), job.stream_owner, static_cast<gid_t>(-1)) != 0) {
    return base::ErrnoStatus("owner of the terminal");
  }
  BULKHEAD_RETURN_IF_ERROR(SendTerminal(job.console, master.get()));
  return TakeStreams({slave.get(), slave.get(), slave.get()});
}

absl::Status TakePipes(const KeeperJob& job) {
  BULKHEAD_RETURN_IF_ERROR(GiveStreams(job.streams, job.stream_owner));
  return TakeStreams(job.streams);
}

absl::Status Prepare(const KeeperJob& job, int* terminal) {
  if (setsid() < 0) return base::ErrnoStatus("setsid");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  BULKHEAD_RETURN_IF_ERROR(EnterRootCgroups(job.cgroup_mode));
  BULKHEAD_RETURN_IF_ERROR(job.console.empty() ? TakePipes(job) : MakeTerminal(job, terminal));
  if (unshare(CLONE_NEWNET) != 0) return base::ErrnoStatus("network namespace of its own");
  // The worker's: the container must not come by them.
  if (close_range(3, ~0u, 0) != 0) return base::ErrnoStatus("close descriptors");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ClearEnvironment();
  return PreparePowers();
}

absl::Status Configure(const KeeperJob& job, int terminal, lxc_container* container) {
  const std::string file = absl::StrCat(job.bundle, "/", kLxcConfig);
  if (!container->load_config(container, file.c_str())) {
    return absl::FailedPreconditionError("liblxc does not take its configuration");
  }
  for (const std::string& entry : job.environment) {
    if (!container->set_config_item(container, "lxc.environment", entry.c_str())) {
      return absl::FailedPreconditionError("liblxc does not take the environment");
    }
  }
  // The terminal is one of the node's: by this name programs in the container find theirs.
  const std::string console =
      absl::StrCat("/dev/pts/", terminal, " dev/console none bind,create=file 0 0");
  if (terminal >= 0 && !container->set_config_item(container, "lxc.mount.entry", console.c_str())) {
    return absl::FailedPreconditionError("liblxc does not take the terminal");
  }
  container->want_daemonize(container, false);
  container->want_close_all_fds(container, true);
  return absl::OkStatus();
}

int Keep(const KeeperJob& job) {
  int terminal = -1;
  absl::Status prepared = Prepare(job, &terminal);
  const std::string directory = job.bundle.substr(0, job.bundle.rfind('/'));
  lxc_container* container =
      prepared.ok() ? lxc_container_new(job.container_id.c_str(), directory.c_str()) : nullptr;
  if (prepared.ok() && container == nullptr) prepared = absl::InternalError("lxc_container_new");
  if (prepared.ok()) prepared = Configure(job, terminal, container);
  if (!prepared.ok()) {
    base::Log(base::Severity::kError, "no container", {{"error", prepared.message()}});
    return kNeverRan;
  }
  std::vector<char*> argv;
  for (const std::string& arg : job.args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const bool started = container->start(container, 0, argv.data());
  return ExitCodeOf(started, container->error_num);
}

}  // namespace

// Not a wait status: a signal is (number << 8) | 0x7f, and 1 is that nothing ran.
int ExitCodeOf(bool started, int error_num) {
  if (!started && error_num == 1) return kNeverRan;
  if ((error_num & 0x7f) == 0x7f) return 128 + (error_num >> 8 & 0x7f);
  return error_num >> 8 & 0xff;
}

void ClearEnvironment() {
  clearenv();
  setenv("PATH", "/nonexistent", 1);
}

absl::Status GiveStreams(const container::Streams& streams, uid_t owner) {
  for (int fd : {streams.in, streams.out, streams.err}) {
    if (fd >= 0 && fchown(fd, owner, static_cast<gid_t>(-1)) != 0) {
      return base::ErrnoStatus("owner of a stream");
    }
  }
  return absl::OkStatus();
}

absl::Status TakeStreams(const container::Streams& streams) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return base::ErrnoStatus("open /dev/null");
  // Out of each other's way first.
  UniqueFd high[3];
  const int wanted[] = {streams.in, streams.out, streams.err};
  for (int i = 0; i < 3; ++i) {
    high[i].Reset(fcntl(wanted[i] >= 0 ? wanted[i] : null.get(), F_DUPFD_CLOEXEC, 3));
    if (!high[i]) return base::ErrnoStatus("move a stream");
  }
  for (int i = 0; i < 3; ++i) {
    if (dup2(high[i].get(), i) < 0) return base::ErrnoStatus("place a stream");
  }
  return absl::OkStatus();
}

absl::Status SendTerminal(const std::string& path, int master) {
  const UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {.sun_family = AF_UNIX};
  if (!connection || path.size() >= sizeof(address.sun_path)) {
    return absl::InternalError("console socket");
  }
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return base::ErrnoStatus("connect to the console socket");
  }
  constexpr char kName[] = "terminal";
  if (ipc::SendWithFd(connection.get(), kName, sizeof(kName), master, MSG_NOSIGNAL) >= 0) {
    return absl::OkStatus();
  }
  return base::ErrnoStatus("send the terminal");
}

// liblxc makes its lock files in a fixed place of the node. In this worker's mount namespace that
// is a directory of the bundle.
absl::Status ShowLocks(const std::string& bundle) {
  if (mkdir(kLocks, 0755) != 0 && errno != EEXIST) return base::ErrnoStatus("make /run/lxc");
  const std::string own = absl::StrCat(bundle, "/lxc-run");
  if (mkdir(own.c_str(), 0700) != 0 && errno != EEXIST) return base::ErrnoStatus("make lxc-run");
  if (mount(own.c_str(), kLocks, nullptr, MS_BIND, nullptr) == 0) return absl::OkStatus();
  return base::ErrnoStatus("bind /run/lxc");
}

absl::StatusOr<container::Run> StartKeeper(const KeeperJob& job) {
  const pid_t pid = fork();
  if (pid < 0) return base::ErrnoStatus("fork");
  if (pid == 0) _exit(Keep(job));
  return container::Run::Of(pid, UniqueFd());
}

}  // namespace bulkhead::lxc
