#include "worker/lxc/lxc_config.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/lxc/parts.h"

namespace bulkhead::lxc {
namespace {

using nlohmann::json;

// The program's path is a word for a shell, and the bundle's stands beside it.
bool IsPlain(absl::string_view path) {
  return std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '/' || c == '.' || c == '_' || c == '-' || c == '+';
  });
}

absl::Status AddRoot(const Inputs& in, Lines* lines) {
  const std::string& bundle = in.facts.bundle;
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.rootfs.path", absl::StrCat("dir:", bundle, "/rootfs")));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.rootfs.mount", absl::StrCat(bundle, "/", kRootMount)));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.rootfs.managed", "0"));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.ephemeral", "0"));
  if (in.spec.getReadOnlyRootfs()) {
    BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.rootfs.options", "ro"));
  }
  return absl::OkStatus();
}

// The library's process is in a network namespace without anything in it, where nobody else finds
// the socket on which it takes commands.
absl::Status AddLibrary(const Inputs& in, Lines* lines) {
  const std::string& bundle = in.facts.bundle;
  if (!IsPlain(in.program) || !IsPlain(bundle)) {
    return absl::FailedPreconditionError(
        "the paths of root_dir and of Bulkhead's programs must be of letters, digits and /._-+ for "
        "containers of runtime type lxc");
  }
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.log.file", absl::StrCat(bundle, "/", kLibraryLog)));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.log.level", "ERROR"));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.hook.version", "1"));
  BULKHEAD_RETURN_IF_ERROR(
      lines->Add("lxc.hook.start-host", absl::StrCat(in.program, " --gate ", bundle)));
  // It fails, and so the library never boots a container again that died of SIGHUP or asked for it.
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.hook.post-stop", "/bin/false"));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.console.path", "none"));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.tty.max", "0"));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.pty.max", "1024"));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.apparmor.profile", "unconfined"));
  return absl::OkStatus();
}

}  // namespace

absl::Status Refuse(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", what, " (the runtime is of type lxc)"));
}

absl::Status OnlyKnown(const json& object, const char* name,
                       std::initializer_list<const char*> known) {
  for (const auto& [key, value] : object.items()) {
    const bool found = std::any_of(known.begin(), known.end(),
                                   [&key = key](const char* one) { return key == one; });
    if (!found) return Refuse(absl::StrCat(name, key), "is not supported");
  }
  return absl::OkStatus();
}

std::string KeeperCgroup(const std::string& cgroup) { return absl::StrCat(cgroup, "-lxc"); }

std::string PivotCgroup(const std::string& cgroup) {
  return absl::StrCat(cgroup.substr(0, cgroup.rfind('/')), "/lxc.pivot");
}

absl::StatusOr<std::string> LxcConfig(const Inputs& in, MountPoints& mount_points) {
  BULKHEAD_RETURN_IF_ERROR(
      OnlyKnown(in.config, "", {"ociVersion", "process", "root", "hostname", "mounts", "linux"}));
  Lines lines;
  BULKHEAD_RETURN_IF_ERROR(AddRoot(in, &lines));
  BULKHEAD_RETURN_IF_ERROR(AddLibrary(in, &lines));
  BULKHEAD_RETURN_IF_ERROR(AddNamespaces(in, &lines));
  BULKHEAD_RETURN_IF_ERROR(AddProcess(in, mount_points, &lines));
  BULKHEAD_RETURN_IF_ERROR(AddMounts(in, mount_points, &lines));
  BULKHEAD_RETURN_IF_ERROR(AddResources(in, &lines));
  return lines.text();
}

}  // namespace bulkhead::lxc
