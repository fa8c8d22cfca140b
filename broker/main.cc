// SECURITY. The broker decides, records and starts what others do. It holds no capability, no
// network and no file but its own state, and runs no program; what it wants done it asks of the
// spawner, in fixed messages.
//   Talks to it: the frontend (not trusted: every field is checked again), workers (believed in
//   nothing but their own typed answers, which are checked), monitors, root's admin command, the
//   supervisor. Who owns it: can ask for every worker kind with jobs of their choosing, so for
//   anything that the policy lets a container have. It cannot read or write a file of the node, nor
//   reach the network, itself.
#include <capnp/serialize.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "base/allocator.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/broker.h"
#include "broker/operations/store_check.h"
#include "broker/recovery/recover.h"
#include "broker/server/serve.h"
#include "security/enforce/enter.h"

namespace bulkhead::broker {

namespace {

// Handed over by the supervisor.
constexpr int kControlFd = 3;
constexpr int kSpawnerFd = 4;
constexpr int kAdminFd = 5;
constexpr int kConfigFd = 6;
constexpr int kAuditFd = 7;  // where the audit log is on

constexpr size_t kMaxConfigBytes = 1 << 20;

absl::StatusOr<Record<schema::Config>> ReadConfig() {
  BULKHEAD_ASSIGN_OR_RETURN(std::string bytes, base::ReadAll(kConfigFd, kMaxConfigBytes));
  return Record<schema::Config>::Parse(bytes);
}

absl::StatusOr<base::UniqueFd> OpenDirectory(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::ErrnoStatus("open " + path);
  return fd;
}

absl::StatusOr<OwnDirectories> OpenOwnDirectories(const std::string& root) {
  OwnDirectories own;
  BULKHEAD_ASSIGN_OR_RETURN(own.blobs, OpenDirectory(root + "/blobs/sha256"));
  BULKHEAD_ASSIGN_OR_RETURN(own.ingest, OpenDirectory(root + "/ingest"));
  BULKHEAD_ASSIGN_OR_RETURN(own.layers, OpenDirectory(root + "/layers"));
  return own;
}

absl::Status Run(const Record<schema::Config>& config, const std::string& boot_id) {
  std::string root = config.read().getRootDir().cStr();
  std::string run = config.read().getRunDir().cStr();
  // Monitors' sockets are bound and connected by name alone (monitor_link.h).
  if (chdir((run + "/monitor").c_str()) < 0) return base::ErrnoStatus("enter " + run + "/monitor");
  BULKHEAD_ASSIGN_OR_RETURN(OwnDirectories directories, OpenOwnDirectories(root));
  BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(root + "/state/state.db"));
  BULKHEAD_ASSIGN_OR_RETURN(std::unique_ptr<State> state, State::Load(std::move(store)));
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd writer, base::Duplicate(kSpawnerFd));

  kj::AsyncIoContext io = kj::setupAsyncIo();
  Loop loop(io);
  SpawnerClient spawner(loop, base::UniqueFd(kSpawnerFd), std::move(writer));
  // Nothing can be started or ended any more; with the next broker there is a socket again. What is
  // under way has this long to be taken back and answered.
  constexpr kj::Duration kPatience = 5 * kj::SECONDS;
  kj::Promise<absl::Status> lost = spawner.Serve().then([&] {
    return loop.timer().afterDelay(kPatience).then(
        [] { return absl::Status(absl::UnavailableError("the spawner closed the socket")); });
  });
  AuditLink audit(loop, base::UniqueFd(config.read().getAudit().getOn() ? kAuditFd : -1),
                  config.read().getAudit().getProceed() ? AuditLink::OnFailure::kProceed
                                                        : AuditLink::OnFailure::kRefuse);
  loop.Add(audit.Serve());
  Broker broker{.loop = loop,
                .config = config.read(),
                .state = *state,
                .spawner = spawner,
                .audit = audit,
                .directories = directories,
                .boot_id = boot_id};
  auto done = loop.Run([&](Fiber& fiber) {
    Recover(fiber, broker);
    loop.Stay([&](Fiber& admin) { ServeAdmins(admin, broker, kAdminFd); });
    loop.Stay([&](Fiber& sealer) { SealLayers(sealer, broker); });
    if (write(kControlFd, "R", 1) != 1) return base::ErrnoStatus("tell the supervisor");
    ServeSupervisor(fiber, broker, kControlFd);
    return absl::OkStatus();
  });
  absl::Status status = done.exclusiveJoin(kj::mv(lost)).wait(io.waitScope);
  if (status.ok())
    _exit(0);  // the supervisor is gone; what is under way is undone at the next start
  return status;
}

// Reads what needs the node's file system, then gives all of it up.
absl::Status Main() {
  BULKHEAD_ASSIGN_OR_RETURN(Record<schema::Config> config, ReadConfig());
  std::string boot_id = base::BootId();
  security::EnterOrDie(security::kBrokerProfile, {.root_dir = config.read().getRootDir().cStr(),
                                                  .run_dir = config.read().getRunDir().cStr()});
  return Run(config, boot_id);
}

}  // namespace
}  // namespace bulkhead::broker

int main() {
  bulkhead::base::SetLogProcess("broker");
  bulkhead::base::GiveFreedMemoryBack();
  signal(SIGPIPE, SIG_IGN);
  absl::Status status = bulkhead::broker::Main();
  if (!status.ok()) {
    bulkhead::base::Log(bulkhead::base::Severity::kError, "ended", {{"why", status.message()}});
  }
  // Not a return: nothing here may wait for fibers that will not end.
  _exit(status.ok() ? 0 : 1);
}
