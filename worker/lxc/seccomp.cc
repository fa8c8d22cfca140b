#include "worker/lxc/seccomp.h"

#include <cerrno>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::lxc {
namespace {

using nlohmann::json;

constexpr char kField[] = "config.linux.security_context.seccomp";

absl::Status CannotSay(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(kField, ": ", what, ", which a container of runtime type lxc cannot have"));
}

absl::StatusOr<std::string> Action(const json& action, const json* error) {
  const std::string name = action;
  if (name == "SCMP_ACT_ALLOW") return "allow";
  if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return "kill";
  if (name == "SCMP_ACT_TRAP") return "trap";
  if (name == "SCMP_ACT_ERRNO") {
    return absl::StrCat("errno ", error != nullptr ? error->get<int>() : EPERM);
  }
  return CannotSay(absl::StrCat("action ", name));
}

const json* Find(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// [index, datum, operator, mask]: the datum is what a masked argument is compared with, which OCI
// calls valueTwo, and the mask what OCI calls value.
std::string Argument(const json& arg) {
  const std::string op = arg["op"];
  const uint64_t value = arg["value"];
  if (op != "SCMP_CMP_MASKED_EQ") {
    return absl::StrCat("[", arg["index"].get<unsigned>(), ",", value, ",", op, ",0]");
  }
  const json* second = Find(arg, "valueTwo");
  return absl::StrCat("[", arg["index"].get<unsigned>(), ",",
                      second != nullptr ? second->get<uint64_t>() : 0, ",", op, ",", value, "]");
}

// One line's arguments must all hold. Several for one index are alternatives, as OCI runtimes have
// it, and so lines of their own.
std::vector<std::string> Conditions(const json& rule) {
  const json* args = Find(rule, "args");
  if (args == nullptr || args->empty()) return {""};
  std::set<unsigned> indices;
  for (const json& arg : *args) indices.insert(arg["index"].get<unsigned>());
  std::vector<std::string> lines;
  for (const json& arg : *args) lines.push_back(absl::StrCat(" ", Argument(arg)));
  if (indices.size() < args->size()) return lines;
  std::string all;
  for (const std::string& line : lines) all += line;
  return {all};
}

absl::Status CheckArchitectures(const json& seccomp) {
  const json* list = Find(seccomp, "architectures");
  if (list == nullptr || list->empty()) return absl::OkStatus();
#if defined(__x86_64__)
  const std::set<std::string> all = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  const std::set<std::string> all = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
  if (list->get<std::set<std::string>>() == all) return absl::OkStatus();
  return CannotSay("a choice of architectures");
}

}  // namespace

absl::StatusOr<std::string> SeccompPolicy(const json& seccomp) {
  for (const auto& [key, value] : seccomp.items()) {
    if (key != "defaultAction" && key != "defaultErrnoRet" && key != "architectures" &&
        key != "syscalls") {
      return CannotSay(key);
    }
  }
  BULKHEAD_RETURN_IF_ERROR(CheckArchitectures(seccomp));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string otherwise,
                            Action(seccomp["defaultAction"], Find(seccomp, "defaultErrnoRet")));
  std::string text = absl::StrCat("2\nallowlist ", otherwise, "\n[all]\n");
  const json* rules = Find(seccomp, "syscalls");
  if (rules == nullptr) return text;
  for (const json& rule : *rules) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string action,
                              Action(rule["action"], Find(rule, "errnoRet")));
    // A rule that says what happens anyway is an error to libseccomp.
    if (action == otherwise) continue;
    for (const std::string& condition : Conditions(rule)) {
      for (const json& name : rule["names"]) {
        absl::StrAppend(&text, name.get<std::string>(), " ", action, condition, "\n");
      }
    }
  }
  return text;
}

}  // namespace bulkhead::lxc
