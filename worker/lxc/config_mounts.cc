#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "worker/lxc/parts.h"

namespace bulkhead::lxc {
namespace {

using nlohmann::json;

constexpr char kDevBytes[] = "67108864";
// What the library itself puts into the container's /dev.
constexpr absl::string_view kOwnDevices[] = {"/dev/full",    "/dev/null", "/dev/random", "/dev/tty",
                                             "/dev/urandom", "/dev/zero", "/dev/ptmx"};

bool IsBelow(absl::string_view path, absl::string_view directory) {
  return absl::StartsWith(path, absl::StrCat(directory, "/"));
}

std::string Relative(absl::string_view path) { return std::string(path.substr(1)); }

absl::Status AddEntry(const std::string& source, const std::string& destination,
                      const std::string& type, const std::string& options, Lines* lines) {
  return lines->Add(
      "lxc.mount.entry",
      absl::StrCat(Word(source), " ", Word(destination), " ", type, " ", options, " 0 0"),
      "config.mounts");
}

// Words that the library reads as OCI runtimes do.
absl::StatusOr<std::string> Options(const json& mount) {
  std::vector<std::string> words;
  for (const json& option : mount["options"]) {
    const std::string word = option;
    // The library makes all mounts dependent on the node's, and so none of them reaches it.
    if (word == "rshared" || word == "shared") {
      return Refuse("config.mounts.propagation", "PROPAGATION_BIDIRECTIONAL is not supported");
    }
    if (absl::StrContains(word, ",")) return Refuse("config.mounts", "a comma in an option");
    words.push_back(word);
  }
  return absl::StrJoin(words, ",");
}

bool IsDirectory(const std::string& path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

// A mount of the kernel's own file systems, or of the tmpfs at /dev: nothing of the image is in the
// way, so the library may make the mount point.
absl::Status AddKernelMount(const json& mount, Lines* lines) {
  const std::string destination = mount["destination"], type = mount["type"];
  if (destination == "/dev") {
    BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.autodev", "1"));
    return lines->Add("lxc.autodev.tmpfs.size", kDevBytes);
  }
  if (destination == "/dev/pts") return absl::OkStatus();  // the library's own
  if (type == "cgroup") {
    const json& options = mount["options"];
    const bool writable = std::find(options.begin(), options.end(), "rw") != options.end();
    return lines->Add("lxc.mount.auto", writable ? "cgroup:rw:force" : "cgroup:ro:force");
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::string options, Options(mount));
  if (IsBelow(destination, "/dev")) absl::StrAppend(&options, ",create=dir");
  return AddEntry(mount["source"], Relative(destination), type, options, lines);
}

absl::Status AddBind(const json& mount, MountPoints& mount_points, Lines* lines) {
  const std::string destination = mount["destination"], source = mount["source"];
  if (destination == "/dev" || destination == "/dev/pts") {
    return Refuse("config.mounts.container_path", absl::StrCat(destination, " is the runtime's"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::string options, Options(mount));
  std::string place = Relative(destination);
  if (IsBelow(destination, "/dev")) {
    absl::StrAppend(&options, IsDirectory(source) ? ",create=dir" : ",create=file");
  } else if (!IsBelow(destination, "/proc") && !IsBelow(destination, "/sys")) {
    BULKHEAD_ASSIGN_OR_RETURN(place, mount_points.Make(destination, source));
  }
  return AddEntry(source, place, "none", options, lines);
}

absl::Status AddDevice(const container::DeviceFacts& device, MountPoints& mount_points,
                       Lines* lines) {
  struct stat st;
  const std::string& path = device.path;
  for (absl::string_view own : kOwnDevices) {
    if (path == own && device.host == own) return absl::OkStatus();
  }
  // The node's device itself is shown, so owner and mode are the node's too.
  if (stat(device.host.c_str(), &st) != 0 || (st.st_mode & 07777) != device.mode ||
      st.st_uid != device.uid || st.st_gid != device.gid) {
    return Refuse(absl::StrCat("config.devices ", path),
                  "another owner or mode than the node's is not supported");
  }
  if (IsBelow(path, "/dev")) {
    return AddEntry(device.host, Relative(path), "none", "bind,create=file", lines);
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::string place, mount_points.Make(path, device.host));
  return AddEntry(device.host, place, "none", "bind", lines);
}

// What of /proc and /sys the node has, the container has.
absl::StatusOr<std::optional<MountPoints::Found>> FindPath(const std::string& path,
                                                           MountPoints& mount_points) {
  if (!IsBelow(path, "/proc") && !IsBelow(path, "/sys")) return mount_points.Find(path);
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) return std::nullopt;
  return MountPoints::Found{.path = Relative(path), .directory = S_ISDIR(st.st_mode)};
}

absl::Status AddMasked(const json& linux, MountPoints& mount_points, Lines* lines) {
  for (const json& path : linux["maskedPaths"]) {
    BULKHEAD_ASSIGN_OR_RETURN(const auto found, FindPath(path, mount_points));
    if (!found.has_value()) continue;
    if (found->directory) {
      BULKHEAD_RETURN_IF_ERROR(
          AddEntry("tmpfs", found->path, "tmpfs", "ro,nosuid,nodev,noexec,size=0", lines));
    } else {
      BULKHEAD_RETURN_IF_ERROR(AddEntry("/dev/null", found->path, "none", "bind", lines));
    }
  }
  return absl::OkStatus();
}

absl::Status AddReadOnly(const Inputs& in, MountPoints& mount_points, Lines* lines) {
  for (const json& path : in.config["linux"]["readonlyPaths"]) {
    BULKHEAD_ASSIGN_OR_RETURN(const auto found, FindPath(path, mount_points));
    if (!found.has_value()) continue;
    BULKHEAD_RETURN_IF_ERROR(
        AddEntry(absl::StrCat(in.facts.bundle, "/", kRootMount, "/", found->path), found->path,
                 "none", "rbind,ro", lines));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddMounts(const Inputs& in, MountPoints& mount_points, Lines* lines) {
  for (const char* directory : {"/dev", "/proc", "/sys"}) {
    BULKHEAD_RETURN_IF_ERROR(mount_points.MakeDirectory(directory).status());
  }
  for (const json& mount : in.config["mounts"]) {
    BULKHEAD_RETURN_IF_ERROR(mount["type"] == "bind" ? AddBind(mount, mount_points, lines)
                                                     : AddKernelMount(mount, lines));
  }
  for (const container::DeviceFacts& device : in.facts.devices) {
    BULKHEAD_RETURN_IF_ERROR(AddDevice(device, mount_points, lines));
  }
  BULKHEAD_RETURN_IF_ERROR(AddReadOnly(in, mount_points, lines));
  return AddMasked(in.config["linux"], mount_points, lines);
}

}  // namespace bulkhead::lxc
