#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/support/process.h"
#include "tools/client/cri.h"

namespace bulkhead::test {

struct NodeOptions {
  bool cni = false;          // a bridge network configuration
  std::string cni_settings;  // more lines of TOML for [cni]
  bool registry = false;     // docker-registry at kRegistry
  std::string runtime = "/usr/bin/crun";
  std::string extra_config;  // more lines of TOML, put first
  std::vector<std::string> up_arguments;
  std::string more_config;       // TOML tables, put last
  size_t root_tmpfs_bytes = 0;   // not 0: root_dir is a tmpfs of this size
  size_t root_tmpfs_inodes = 0;  // and, not 0, of so many files
};

inline constexpr char kRegistry[] = "127.0.0.1:5000";

// A runtime of its own, as `bulkhead up` starts it, in a directory of its own.
// EnterPrivateNamespaces comes first.
class Node {
 public:
  explicit Node(NodeOptions options);
  // Stops everything and removes the directory.
  ~Node();

  // Starts `bulkhead up` and waits for "ready". The status carries the end of its log.
  absl::Status Up();
  // SIGTERM, and the exit code.
  absl::StatusOr<int> Down(absl::Duration patience = absl::Seconds(60));

  void StopRegistry();

  tools::CriClient& cri() { return *cri_; }  // after Up, until the next one
  const Process& up() const { return up_; }
  // Of one of its processes ("frontend", "broker", "spawner"); 0: there is none just now.
  pid_t Daemon(const std::string& name) const;

  const std::string& directory() const { return directory_; }
  std::string root_dir() const { return directory_ + "/root"; }
  std::string run_dir() const { return directory_ + "/run"; }
  std::string config_file() const { return directory_ + "/config.toml"; }
  std::string cri_socket() const { return run_dir() + "/cri.sock"; }
  std::string admin_socket() const { return run_dir() + "/admin.sock"; }
  std::string log_dir() const { return directory_ + "/logs"; }
  // What the processes wrote to standard error.
  std::string Log() const;

  // Runs `bulkhead VERB... --config F ...`; words after "--" stay last.
  Output Bulkhead(std::vector<std::string> words, absl::Duration patience = absl::Seconds(60));
  // A network configuration: a bridge that gives addresses of subnet, then more plugins (",{...}").
  void WriteNetwork(const std::string& more = "", const std::string& subnet = "10.123.45.0/24");
  std::string network_file() const { return directory_ + "/cni/10-test.conflist"; }
  // A CNI plugin of this name: a shell script.
  void AddPlugin(const std::string& name, const std::string& script);
  // Addresses that are given out.
  std::vector<std::string> Leases() const;

  // make_image.py with these options, then import. Returns what import said.
  Output Import(const std::string& name, std::vector<std::string> options = {});
  // make_image.py with these options into the registry. name: REPOSITORY:TAG.
  Output Push(const std::string& name, std::vector<std::string> options = {});

 private:
  void WriteConfig();
  absl::Status StartRegistry();

  NodeOptions options_;
  std::string directory_;
  Process registry_;
  Process up_;
  std::unique_ptr<tools::CriClient> cri_;
};

// Path of one of our programs.
std::string Program(const std::string& name);

}  // namespace bulkhead::test
