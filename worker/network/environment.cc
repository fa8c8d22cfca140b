#include "worker/network/environment.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clean_path.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "security/policy/plugin_name.h"

namespace bulkhead::network {
namespace {

using Command = schema::NetworkRequest::Command;
using Job = schema::NetworkJob::Reader;

constexpr size_t kMaxWordBytes = 253;
constexpr size_t kMaxInterfaceBytes = 15;
constexpr size_t kMaxBinDirs = 16;
// For plugins that run iptables, ip, modprobe.
constexpr char kPath[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

absl::string_view View(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

absl::Status Refuse(absl::string_view field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

absl::Status CheckWord(absl::string_view field, absl::string_view word, size_t max_bytes) {
  if (word.size() > max_bytes) return Refuse(field, "too long");
  if (!security::IsPlainWord(word))
    return Refuse(field, "holds a character that CNI_ARGS cannot carry");
  return absl::OkStatus();
}

// Only where a namespace is mounted on it: otherwise the plugin would work in the node's own.
absl::Status CheckPin(int run, const std::string& path) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd directory,
                            base::OpenAt(run, path.substr(0, path.rfind('/')), O_PATH | O_DIRECTORY,
                                         base::Resolve::kBeneathNoSymlinks));
  base::UniqueFd pin(openat(directory.get(), "net", O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!pin) return base::ErrnoStatus("open the network namespace");
  struct statfs where;
  if (fstatfs(pin.get(), &where) != 0) return base::ErrnoStatus("statfs");
  if (where.f_type != NSFS_MAGIC) return absl::NotFoundError("the network namespace is not pinned");
  return absl::OkStatus();
}

absl::StatusOr<std::string> DirectoryPath(int fd) {
  char path[PATH_MAX];
  const ssize_t size = readlink(absl::StrCat("/proc/self/fd/", fd).c_str(), path, sizeof(path));
  if (size < 0) return base::ErrnoStatus("readlink");
  std::string text(path, static_cast<size_t>(size));
  if (!base::IsCleanAbsolutePath(text)) return absl::InternalError("run directory: no path");
  return text;
}

absl::Status CheckPod(Job job) {
  if (!base::IsId(View(job.getPodId()))) return Refuse("podId", "not an id");
  BULKHEAD_RETURN_IF_ERROR(
      CheckWord("config.metadata.name", View(job.getPodName()), kMaxWordBytes));
  BULKHEAD_RETURN_IF_ERROR(
      CheckWord("config.metadata.namespace", View(job.getPodNamespace()), kMaxWordBytes));
  BULKHEAD_RETURN_IF_ERROR(CheckWord("config.metadata.uid", View(job.getPodUid()), kMaxWordBytes));
  if (job.getInterface().size() == 0) return Refuse("interface", "empty");
  return CheckWord("interface", View(job.getInterface()), kMaxInterfaceBytes);
}

// What concerns the network as a whole, or the plugin alone.
bool IsForNoPod(Command command) {
  return command == Command::VERSION || command == Command::GC || command == Command::STATUS;
}

}  // namespace

absl::Status CheckJob(Job job) {
  if (job.getPodId().size() > 0) BULKHEAD_RETURN_IF_ERROR(CheckPod(job));
  if (job.getPluginTimeoutMs() == 0) return Refuse("pluginTimeoutMs", "must not be 0");
  if (job.getBinDirs().size() > kMaxBinDirs) return Refuse("binDirs", "too many");
  for (const auto dir : job.getBinDirs()) {
    if (!base::IsCleanAbsolutePath(View(dir)) || absl::StrContains(View(dir), ':')) {
      return Refuse("binDirs", "not a clean absolute path");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> NamespacePath(Job job, int run, Command command) {
  if (IsForNoPod(command)) return std::string();
  if (job.getPodId().size() == 0) return Refuse("podId", "the command needs one");
  if (job.getNetnsGone() && command == Command::DEL) return std::string();
  const std::string path = absl::StrCat("pods/", job.getPodId().cStr(), "/net");
  const absl::Status pinned =
      job.getNetnsGone() ? absl::NotFoundError("it is gone") : CheckPin(run, path);
  if (absl::IsNotFound(pinned) && command == Command::DEL) return std::string();
  if (absl::IsNotFound(pinned)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": ", pinned.message()));
  }
  if (!pinned.ok()) return pinned;
  BULKHEAD_ASSIGN_OR_RETURN(const std::string run_dir, DirectoryPath(run));
  return absl::StrCat(run_dir, "/", path);
}

std::vector<std::string> PluginEnvironment(Job job, Command command,
                                           const std::string& namespace_path) {
  std::vector<std::string> dirs;
  for (const auto dir : job.getBinDirs()) dirs.emplace_back(dir.cStr());
  const std::string path = absl::StrCat("CNI_PATH=", absl::StrJoin(dirs, ":"));
  const std::string name = absl::StrCat("CNI_COMMAND=", CommandName(command));
  if (IsForNoPod(command)) {
    // Plugins built with an early library want all of them, whatever they are, to tell their
    // version.
    const char* any = command == Command::VERSION ? "dummy" : "";
    return {name,
            absl::StrCat("CNI_CONTAINERID=", any),
            absl::StrCat("CNI_NETNS=", any),
            absl::StrCat("CNI_IFNAME=", any),
            "CNI_ARGS=",
            path,
            kPath};
  }
  const std::string id = job.getPodId().cStr();
  return {
      name,
      absl::StrCat("CNI_CONTAINERID=", id),
      absl::StrCat("CNI_NETNS=", namespace_path),
      absl::StrCat("CNI_IFNAME=", job.getInterface().cStr()),
      path,
      absl::StrCat("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=", job.getPodNamespace().cStr(),
                   ";K8S_POD_NAME=", job.getPodName().cStr(), ";K8S_POD_INFRA_CONTAINER_ID=", id,
                   ";K8S_POD_UID=", job.getPodUid().cStr()),
      kPath,
  };
}

const char* CommandName(Command command) {
  switch (command) {
    case Command::ADD:
      return "ADD";
    case Command::DEL:
      return "DEL";
    case Command::CHECK:
      return "CHECK";
    case Command::VERSION:
      return "VERSION";
    case Command::GC:
      return "GC";
    case Command::STATUS:
      return "STATUS";
  }
  return nullptr;
}

}  // namespace bulkhead::network
