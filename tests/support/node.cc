#include "tests/support/node.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/support/proc.h"

namespace bulkhead::test {
namespace {

constexpr absl::Duration kStartPatience = absl::Seconds(40);
constexpr size_t kLogTail = 6000;

std::string MakeDirectory() {
  char name[] = "/tmp/bhtest.XXXXXX";
  std::string directory = mkdtemp(name);
  // The daemons' uids pass through it.
  chmod(directory.c_str(), 0711);
  return directory;
}

std::string ReadText(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

std::string Program(const std::string& name) {
  // For tests of programs that are installed, or built elsewhere.
  const char* other = getenv("BULKHEAD_BIN_DIR");
  return absl::StrCat(other != nullptr ? other : BULKHEAD_BIN_DIR, "/", name);
}

Node::Node(NodeOptions options) : options_(std::move(options)), directory_(MakeDirectory()) {
  for (const char* name : {"root", "logs", "cni", "bin"})
    mkdir((directory_ + "/" + name).c_str(), 0711);
  if (options_.root_tmpfs_bytes > 0) {
    std::string size = absl::StrCat("mode=711,size=", options_.root_tmpfs_bytes);
    if (options_.root_tmpfs_inodes > 0) {
      absl::StrAppend(&size, ",nr_inodes=", options_.root_tmpfs_inodes);
    }
    mount("tmpfs", root_dir().c_str(), "tmpfs", 0, size.c_str());
  }
  WriteConfig();
  if (options_.cni) WriteNetwork();
}

Node::~Node() {
  if (up_.running()) Down(absl::Seconds(20)).IgnoreError();
  KillDescendants();
  UnmountBelow(directory_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void Node::WriteConfig() {
  std::ofstream(config_file()) << options_.extra_config << "\nroot_dir = \"" << root_dir()
                               << "\"\nrun_dir = \"" << run_dir()
                               << "\"\n[runtimes.crun]\npath = \"" << options_.runtime
                               << "\"\n[cni]\nconf_dir = \"" << directory_
                               << "/cni\"\nbin_dirs = [\"" << directory_
                               << "/bin\", \"/usr/lib/cni\"]\n"
                               << options_.cni_settings << "\n[registries.\"" << kRegistry
                               << "\"]\nendpoints = [{host = \"" << kRegistry
                               << "\", plain_http = true}]\n"
                               << options_.more_config;
  chmod(config_file().c_str(), 0600);
}

void Node::WriteNetwork(const std::string& more, const std::string& subnet) {
  // Whole or not at all, as careful installers do it.
  const std::string draft = directory_ + "/draft";
  std::ofstream(draft) << R"({
  "cniVersion": "1.0.0", "name": "bhtest", "plugins": [
    {"type": "bridge", "bridge": "bhtest0", "isGateway": true,
     "forceAddress": true, "ipam": {
      "type": "host-local", "dataDir": ")"
                       << directory_ << R"(/cni-data",
      "ranges": [[{"subnet": ")"
                       << subnet << R"("}]], "routes": [{"dst": "0.0.0.0/0"}]}})" << more << "]}";
  std::filesystem::rename(draft, network_file());
}

void Node::AddPlugin(const std::string& name, const std::string& script) {
  const std::string draft = directory_ + "/draft", path = directory_ + "/bin/" + name;
  std::ofstream(draft) << "#!/bin/sh\n" << script;
  chmod(draft.c_str(), 0755);
  std::filesystem::rename(draft, path);
}

std::vector<std::string> Node::Leases() const {
  std::vector<std::string> leases;
  std::error_code none;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory_ + "/cni-data/bhtest", none)) {
    const std::string name = entry.path().filename();
    if (absl::StartsWith(name, "10.")) leases.push_back(name);
  }
  std::sort(leases.begin(), leases.end());
  return leases;
}

absl::Status Node::StartRegistry() {
  std::string file = directory_ + "/registry.yml";
  std::ofstream(file) << "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                      << "storage: {filesystem: {rootdirectory: " << directory_ << "/registry}}\n"
                      << "http: {addr: \"" << kRegistry << "\"}\n";
  BULKHEAD_ASSIGN_OR_RETURN(registry_,
                            Process::Start({"/usr/bin/docker-registry", "serve", file}, -1, -1));
  bool listens = Eventually(absl::Seconds(20), [] { return CanConnect(5000); });
  return listens ? absl::OkStatus() : absl::UnavailableError("docker-registry does not listen");
}

absl::Status Node::Up() {
  if (options_.registry && !registry_.running()) BULKHEAD_RETURN_IF_ERROR(StartRegistry());
  std::string ready = directory_ + "/ready";
  base::UniqueFd out(open(ready.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  base::UniqueFd err(
      open((directory_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  std::vector<std::string> argv = {Program("bulkhead"), "up", "--config", config_file()};
  argv.insert(argv.end(), options_.up_arguments.begin(), options_.up_arguments.end());
  BULKHEAD_ASSIGN_OR_RETURN(up_, Process::Start(argv, out.get(), err.get()));
  std::string expected = absl::StrCat("ready\n", run_dir(), "/cri.sock\n");
  bool is_ready = Eventually(kStartPatience, [&] {
    return ReadText(ready) == expected || up_.Wait(absl::ZeroDuration()).ok();
  });
  // A new one each time: the first call on a connection whose other end went away would fail.
  cri_ = std::make_unique<tools::CriClient>(cri_socket());
  if (is_ready && up_.running()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("bulkhead up did not get ready:\n", Log()));
}

absl::StatusOr<int> Node::Down(absl::Duration patience) {
  up_.Signal(SIGTERM);
  return up_.Wait(patience);
}

pid_t Node::Daemon(const std::string& name) const {
  for (const ProcessInfo& info : Descendants(up_.pid())) {
    if (info.parent == up_.pid() && info.name == "bh-" + name) return info.pid;
  }
  return 0;
}

void Node::StopRegistry() { registry_ = Process(); }

std::string Node::Log() const {
  std::string text = ReadText(directory_ + "/log");
  return text.size() <= kLogTail ? text : text.substr(text.size() - kLogTail);
}

Output Node::Bulkhead(std::vector<std::string> words, absl::Duration patience) {
  std::vector<std::string> argv = {Program("bulkhead")};
  auto behind = std::find(words.begin(), words.end(), "--");
  argv.insert(argv.end(), words.begin(), behind);
  argv.insert(argv.end(), {"--config", config_file()});
  argv.insert(argv.end(), behind, words.end());
  return RunProgram(argv, patience);
}

Output Node::Import(const std::string& name, std::vector<std::string> options) {
  std::string file = directory_ + "/image.tar";
  std::vector<std::string> make = {BULKHEAD_SOURCE_DIR "/tests/support/make_image.py", "--out",
                                   file, "--name", name};
  make.insert(make.end(), options.begin(), options.end());
  Output made = RunProgram(make);
  if (made.code != 0) return made;
  Output imported = Bulkhead({"image", "import", file});
  unlink(file.c_str());
  return imported;
}

Output Node::Push(const std::string& name, std::vector<std::string> options) {
  std::vector<std::string> make = {BULKHEAD_SOURCE_DIR "/tests/support/make_image.py", "--push",
                                   absl::StrCat("http://", kRegistry), "--name", name};
  make.insert(make.end(), options.begin(), options.end());
  return RunProgram(make);
}

}  // namespace bulkhead::test
