#include <linux/capability.h>
#include <sys/capability.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "worker/container/config_parts.h"

namespace bulkhead::container {
namespace {

using nlohmann::json;

constexpr int kHighestOomScoreAdj = 1000;

absl::StatusOr<json> Arguments(schema::Process::Reader process) {
  if (process.getArgs().size() == 0) return absl::InvalidArgumentError("args: empty");
  json args = json::array();
  for (capnp::Text::Reader arg : process.getArgs()) {
    std::string value(arg.cStr(), arg.size());
    if (absl::StrContains(value, absl::string_view("\0", 1))) {
      return absl::InvalidArgumentError("args: holds a NUL byte");
    }
    args.push_back(std::move(value));
  }
  return args;
}

absl::StatusOr<json> Environment(schema::Process::Reader process) {
  json env = json::array();
  for (schema::KeyValue::Reader entry : process.getEnv()) {
    BULKHEAD_ASSIGN_OR_RETURN(const std::string key, TextOf("env", entry.getKey()));
    const auto bytes = entry.getValue().asChars();
    const std::string value(bytes.begin(), bytes.size());
    if (absl::StrContains(key, "=") || absl::StrContains(value, absl::string_view("\0", 1))) {
      return absl::InvalidArgumentError(absl::StrCat("env ", key, ": a bad name or a NUL byte"));
    }
    env.push_back(absl::StrCat(key, "=", value));
  }
  return env;
}

// A directory below /proc could be one that the runtime holds open on the node (CVE-2024-21626).
absl::StatusOr<json> WorkingDirectory(schema::Process::Reader process) {
  const std::string cwd = process.getCwd();
  if (!base::IsCleanAbsolutePath(cwd)) {
    return absl::InvalidArgumentError("cwd: not a clean absolute path");
  }
  if (absl::StartsWith(cwd, "/proc/")) return absl::InvalidArgumentError("cwd: below /proc");
  return json(cwd);
}

json User(schema::UserIds::Reader user) {
  json gids = json::array();
  for (uint32_t gid : user.getAdditionalGids()) gids.push_back(gid);
  return {{"uid", user.getUid()}, {"gid", user.getGid()}, {"additionalGids", gids}};
}

json CapabilityNames(uint64_t mask) {
  json names = json::array();
  for (int number = 0; number <= CAP_LAST_CAP; ++number) {
    if ((mask >> number & 1) == 0) continue;
    char* name = cap_to_name(number);
    if (name == nullptr) continue;
    names.push_back(absl::AsciiStrToUpper(name));
    cap_free(name);
  }
  return names;
}

// Inheritable and ambient are empty but for what is asked as ambient by name (V22). Other users
// than root gain the rest by files only.
json Capabilities(schema::Process::Reader process, const Facts& facts) {
  const uint64_t mask = process.getCapabilities() & facts.bounding;
  const uint64_t ambient = process.getAmbient() & mask;
  const json held = CapabilityNames(process.getUser().getUid() == 0 ? mask : ambient);
  return {{"bounding", CapabilityNames(mask)},
          {"permitted", held},
          {"effective", held},
          {"inheritable", CapabilityNames(ambient)},
          {"ambient", CapabilityNames(ambient)}};
}

}  // namespace

absl::StatusOr<json> ProcessObject(schema::Process::Reader process, const Facts& facts) {
  json out;
  BULKHEAD_ASSIGN_OR_RETURN(out["args"], Arguments(process));
  BULKHEAD_ASSIGN_OR_RETURN(out["env"], Environment(process));
  BULKHEAD_ASSIGN_OR_RETURN(out["cwd"], WorkingDirectory(process));
  out["user"] = User(process.getUser());
  out["capabilities"] = Capabilities(process, facts);
  out["noNewPrivileges"] = process.getNoNewPrivileges();
  out["oomScoreAdj"] =
      std::clamp(process.getOomScoreAdj(), facts.lowest_oom_score_adj, kHighestOomScoreAdj);
  out["terminal"] = process.getTerminal();
  return out;
}

}  // namespace bulkhead::container
