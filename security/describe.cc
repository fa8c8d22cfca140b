#include "security/describe.h"

#include <seccomp.h>
#include <sys/capability.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "security/enforce/seccomp.h"
#include "security/profile.h"

namespace bulkhead::security {
namespace {

// One line of a table: what, and why it is there.
struct Line {
  std::string what;
  std::string reason;
};

struct Section {
  const char* title;
  std::vector<Line> lines;
};

std::string CapabilityName(int number) {
  char* name = cap_to_name(number);
  if (name == nullptr) return absl::StrCat("capability ", number);
  const std::string upper = absl::AsciiStrToUpper(name);
  cap_free(name);
  return upper;
}

std::string CallName(int number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  if (name == nullptr) return absl::StrCat("call ", number);
  const std::string copy = name;
  free(name);
  return copy;
}

const char* AccessName(Access access) {
  switch (access) {
    case Access::kRead:
      return "read";
    case Access::kReadWrite:
      return "read, write";
    case Access::kReadExecute:
      return "read, execute";
    case Access::kList:
      return "list";
  }
  return "";
}

const char* ViewName(View view) {
  switch (view) {
    case View::kEmpty:
      return "empty";
    case View::kListed:
      return "the listed paths alone";
    case View::kHost:
      return "the node's";
    case View::kDirFds:
      return "empty; what lies below its directory descriptors";
  }
  return "";
}

std::string NamespaceNames(const Namespaces& ns) {
  const std::pair<const char*, Ns> all[] = {
      {"mount", ns.mount}, {"pid", ns.pid},       {"net", ns.net},  {"ipc", ns.ipc},
      {"uts", ns.uts},     {"cgroup", ns.cgroup}, {"user", ns.user}};
  std::vector<std::string> fresh, shared;
  for (const auto& [name, state] : all) (state == Ns::kNew ? fresh : shared).push_back(name);
  return absl::StrCat("new: ", fresh.empty() ? "none" : absl::StrJoin(fresh, " "),
                      "; the node's: ", shared.empty() ? "none" : absl::StrJoin(shared, " "));
}

std::string ConfinementName(const Profile& profile) {
  if (profile.confinement == Confinement::kInheritable) {
    return "ancestor of containers or plugins: no seccomp, no no_new_privs, full bounding set";
  }
  const bool fenced = profile.view != View::kHost && profile.landlock;
  return absl::StrCat("no_new_privs, seccomp", fenced ? ", Landlock" : "",
                      "; bounding set as above");
}

std::string LimitNames(const Limits& limits) {
  std::vector<std::string> parts;
  if (limits.nofile != 0) parts.push_back(absl::StrCat(limits.nofile, " open files"));
  parts.push_back(absl::StrCat(limits.memory_bytes >> 20, " MiB"));
  parts.push_back(absl::StrCat(limits.pids, " tasks"));
  if (limits.wall_seconds != 0) parts.push_back(absl::StrCat(limits.wall_seconds, " s"));
  return absl::StrJoin(parts, ", ");
}

std::string CallCount(const Profile& profile) {
  if (profile.confinement == Confinement::kInheritable) return "all";
  int allowed = 0, last = -1;
  for (const Syscall& row : EffectiveRows(profile)) {
    if (row.error != 0 || row.number == last) continue;
    last = row.number;
    ++allowed;
  }
  return absl::StrCat(allowed);
}

std::vector<Section> SectionsOf(const Profile& profile, bool verbose) {
  Section general = {"",
                     {{"purpose", profile.purpose},
                      {"input", profile.input},
                      {"user", absl::StrCat(profile.user, " (", profile.uid, ")")},
                      {"confinement", ConfinementName(profile)},
                      {"namespaces", NamespaceNames(profile.namespaces)},
                      {"file system", ViewName(profile.view)},
                      {"limits", LimitNames(profile.limits)},
                      {"system calls", CallCount(profile)}}};
  Section capabilities = {"capabilities", {}}, paths = {"paths", {}}, fds = {"descriptors", {}},
          calls = {"system calls", {}};
  for (const Cap& row : profile.capabilities) {
    capabilities.lines.push_back({CapabilityName(row.number), row.reason});
  }
  for (const Path& row : profile.paths) {
    paths.lines.push_back({absl::StrCat(row.path, " (", AccessName(row.access), ")"), row.reason});
  }
  for (const FdRow& row : profile.fds) {
    fds.lines.push_back({absl::StrCat(row.fd), row.what});
  }
  if (verbose && profile.confinement == Confinement::kFull) {
    for (const Syscall& row : EffectiveRows(profile)) {
      calls.lines.push_back({CallText(row), row.reason});
    }
  }
  return {general, capabilities, paths, fds, calls};
}

void AppendText(const Profile& profile, bool verbose, std::string* out) {
  absl::StrAppend(out, profile.name, "\n");
  for (const Section& section : SectionsOf(profile, verbose)) {
    if (section.lines.empty()) continue;
    const bool titled = section.title[0] != '\0';
    if (titled) absl::StrAppend(out, "  ", section.title, "\n");
    for (const Line& line : section.lines) {
      absl::StrAppend(out, titled ? "    " : "  ", line.what, ": ", line.reason, "\n");
    }
  }
  absl::StrAppend(out, "\n");
}

void AppendMarkdown(const Profile& profile, bool verbose, std::string* out) {
  absl::StrAppend(out, "## ", profile.name, "\n\n");
  for (const Section& section : SectionsOf(profile, verbose)) {
    if (section.lines.empty()) continue;
    absl::StrAppend(out, "| ", section.title, " | |\n| --- | --- |\n");
    for (const Line& line : section.lines) {
      absl::StrAppend(out, "| ", line.what, " | ", line.reason, " |\n");
    }
    absl::StrAppend(out, "\n");
  }
}

}  // namespace

std::string CallText(const Syscall& row) {
  std::string text = CallName(row.number);
  for (const ArgRule& rule : row.args) {
    absl::StrAppend(&text, " [arg ", rule.index, " & 0x", absl::Hex(rule.mask), " = 0x",
                    absl::Hex(rule.value), "]");
  }
  if (row.error != 0) absl::StrAppend(&text, " -> ", strerrorname_np(row.error));
  return text;
}

std::string DescribeProfiles(bool verbose, bool markdown) {
  std::string out;
  for (const Profile* profile : AllProfiles()) {
    if (markdown) {
      AppendMarkdown(*profile, verbose, &out);
    } else {
      AppendText(*profile, verbose, &out);
    }
  }
  return out;
}

}  // namespace bulkhead::security
