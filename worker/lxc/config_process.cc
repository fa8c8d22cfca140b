#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "worker/lxc/parts.h"

namespace bulkhead::lxc {
namespace {

using nlohmann::json;
using Source = schema::ContainerSpec::Namespaces::Source;

// The first version that gives them to containers with a user namespace.
constexpr int kGroupsInUserNamespace = 6;

absl::Status AddUser(const Inputs& in, const json& user, Lines* lines) {
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.init.uid", absl::StrCat(user["uid"].get<uint32_t>())));
  BULKHEAD_RETURN_IF_ERROR(lines->Add("lxc.init.gid", absl::StrCat(user["gid"].get<uint32_t>())));
  // The primary group is no additional one, though images list it as such.
  std::set<uint32_t> groups = user["additionalGids"].get<std::set<uint32_t>>();
  groups.erase(user["gid"].get<uint32_t>());
  if (groups.empty()) return absl::OkStatus();
  if (in.spec.getNamespaces().getUser() == Source::POD &&
      in.library_major < kGroupsInUserNamespace) {
    return Refuse("config.linux.security_context.supplemental_groups",
                  absl::StrCat("groups ", absl::StrJoin(groups, ","),
                               ", those of the image's /etc/group included, cannot be given in a "
                               "pod with a user namespace before liblxc 6"));
  }
  return lines->Add("lxc.init.groups",
                    absl::StrJoin(user["additionalGids"].get<std::vector<uint32_t>>(), ","));
}

// Bounding alone: root holds what is in it, others gain it by files.
absl::Status AddCapabilities(const json& capabilities, Lines* lines) {
  if (!capabilities["ambient"].empty()) {
    return Refuse("config.linux.security_context.capabilities.add_ambient_capabilities",
                  "ambient capabilities are not supported");
  }
  std::vector<std::string> names;
  for (const json& name : capabilities["bounding"]) {
    const std::string lower = absl::AsciiStrToLower(name.get<std::string>());
    names.emplace_back(absl::StripPrefix(lower, "cap_"));
  }
  return lines->Add("lxc.cap.keep", names.empty() ? "none" : absl::StrJoin(names, " "));
}

// Other runtimes make it where it is missing.
absl::Status AddDirectory(const std::string& cwd, MountPoints& mount_points, Lines* lines) {
  for (const char* kernel : {"/proc", "/sys", "/dev"}) {
    if (absl::StartsWith(cwd, absl::StrCat(kernel, "/")) || cwd == kernel) {
      return lines->Add("lxc.init.cwd", cwd, "config.working_dir");
    }
  }
  if (cwd != "/") BULKHEAD_RETURN_IF_ERROR(mount_points.MakeDirectory(cwd).status());
  return lines->Add("lxc.init.cwd", cwd, "config.working_dir");
}

}  // namespace

absl::Status AddProcess(const Inputs& in, MountPoints& mount_points, Lines* lines) {
  const json& process = in.config["process"];
  BULKHEAD_RETURN_IF_ERROR(OnlyKnown(process, "process.",
                                     {"args", "env", "cwd", "user", "capabilities",
                                      "noNewPrivileges", "oomScoreAdj", "terminal"}));
  BULKHEAD_RETURN_IF_ERROR(AddUser(in, process["user"], lines));
  BULKHEAD_RETURN_IF_ERROR(AddCapabilities(process["capabilities"], lines));
  BULKHEAD_RETURN_IF_ERROR(AddDirectory(process["cwd"], mount_points, lines));
  BULKHEAD_RETURN_IF_ERROR(
      lines->Add("lxc.no_new_privs", process["noNewPrivileges"].get<bool>() ? "1" : "0"));
  BULKHEAD_RETURN_IF_ERROR(
      lines->Add("lxc.proc.oom_score_adj", absl::StrCat(process["oomScoreAdj"].get<int>())));
  if (!in.config["linux"].contains("seccomp")) return absl::OkStatus();
  return lines->Add("lxc.seccomp.profile", absl::StrCat(in.facts.bundle, "/", kSeccompPolicy));
}

}  // namespace bulkhead::lxc
