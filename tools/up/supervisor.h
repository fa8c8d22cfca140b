#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/deadline.h"
#include "base/unique_fd.h"
#include "security/enforce/enter.h"
#include "tools/up/child.h"
#include "tools/up/directory_watch.h"
#include "tools/up/self_check.h"

namespace bulkhead::tools {

// Starts spawner, broker, frontend and streaming, wires them, and starts again what has died. It
// parses nothing that they say: from the broker it reads one byte ("ready"), from the others
// nothing.
class Supervisor {
 public:
  struct Parts {
    base::UniqueFd programs;          // O_PATH directory that holds the programs
    base::UniqueFd config;            // sealed memfd
    base::UniqueFd cri_socket;        // listening
    std::string cri_path;             // where
    base::UniqueFd admin_socket;      // listening
    base::UniqueFd audit_directory;   // empty: no audit log
    base::UniqueFd streaming_socket;  // listening
    base::UniqueFd streaming_tls;     // memfd, or empty
    base::UniqueFd registries;        // sealed memfd, for fetch workers alone
    // Makes registries anew, for SIGHUP.
    std::function<absl::StatusOr<base::UniqueFd>()> load_registries;
    base::UniqueFd policy;  // sealed memfd, for the broker
    // Makes the policy anew, for SIGHUP, and lets workers have it.
    std::function<absl::StatusOr<base::UniqueFd>()> load_policy;
    std::string network_dir;  // CNI's configurations; the broker is told of changes
    security::Places places;
  };
  // SIGTERM, SIGINT, SIGHUP and SIGCHLD must be blocked already; this takes them from a signalfd.
  explicit Supervisor(Parts parts);

  // Starts everything and compares each process with its table. Non-OK: nothing is left running.
  absl::Status Start();
  // Supervises until SIGTERM or SIGINT.
  void Run();
  // Frontend first, so that no new work comes in; then broker, then spawner. Containers stay.
  void Stop();

 private:
  // What has to be started anew; each one takes those before it along, as their sockets end with
  // it. All but streaming, whose streams go on: it gets a socket to the next broker.
  enum class Level { kStreaming, kFrontend, kBroker, kSpawner };

  absl::Status StartFrom(Level level);
  void KillFrom(Level level);
  absl::Status StartSpawner();
  // audit_socket: the broker's end; empty where the audit log is off.
  absl::Status StartAuditor(base::UniqueFd* audit_socket);
  absl::Status StartBroker();
  absl::Status StartFrontend();
  absl::Status StartStreaming();
  absl::Status ConnectStreaming();
  absl::Status AwaitBroker();
  absl::Status Inspect(const Child& child);
  absl::StatusOr<base::UniqueFd> OpenConfig();
  void HandleSignals();
  void HandleNetworkChange();
  void ReloadRegistries();
  void ReloadPolicy();
  void Reap();
  void NoteDeath(Level level);
  void Restart();

  Parts parts_;
  base::UniqueFd signals_;
  DirectoryWatch networks_;
  SelfCheck self_check_;
  Child spawner_;
  Child auditor_;  // goes and comes with the broker
  Child broker_;
  Child frontend_;
  Child streaming_;
  base::UniqueFd spawner_control_;    // SOCK_SEQPACKET, 'B' or 'R' + fd
  // SOCK_SEQPACKET, 'F', 'S', 'P' + fd, 'N', 'A'; 'R' comes back, then 'A's
  base::UniqueFd broker_control_;
  base::UniqueFd streaming_control_;  // SOCK_SEQPACKET, 'B' + fd
  bool stopping_ = false;
  std::optional<Level> lost_;
  absl::Duration back_off_;
  base::Deadline restart_at_ = base::Deadline::Never();
  absl::Time last_restart_ = absl::InfinitePast();
};

}  // namespace bulkhead::tools
