#include "validate/container.h"

#include <capnp/message.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clean_path.h"
#include "base/ids.h"
#include "base/status.h"
#include "validate/mounts.h"
#include "validate/security_context.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

using schema::ContainerConfig;
using schema::Resources;

constexpr size_t kMaxNameBytes = 253;
constexpr size_t kMaxImageBytes = 1024;
constexpr size_t kMaxArguments = 4096;
constexpr size_t kMaxArgumentBytes = 1 << 20;
constexpr size_t kMaxEnvs = 8192;
constexpr size_t kMaxHugepageSizes = 16;
constexpr size_t kMaxUnified = 64;
constexpr size_t kMaxUnifiedBytes = 16 << 10;
constexpr size_t kMaxCpusetBytes = 1024;
constexpr int kMaxSignal = 64;

bool HasNul(absl::string_view text) { return text.find('\0') != absl::string_view::npos; }

absl::Status CheckWords(absl::string_view field, capnp::List<capnp::Text>::Reader words) {
  BULKHEAD_RETURN_IF_ERROR(CheckCount(field, words.size(), kMaxArguments));
  size_t bytes = 0;
  for (const auto word : words) {
    if (HasNul(View(word))) return Refuse(field, "holds a NUL byte");
    bytes += word.size() + 1;
  }
  if (bytes > kMaxArgumentBytes) return Refuse(field, "more than 1 MiB in all");
  return absl::OkStatus();
}

absl::Status CheckEnvs(capnp::List<schema::KeyValue>::Reader envs) {
  constexpr absl::string_view kField = "config.envs";
  BULKHEAD_RETURN_IF_ERROR(CheckCount(kField, envs.size(), kMaxEnvs));
  size_t bytes = 0;
  for (size_t i = 0; i < envs.size(); ++i) {
    const absl::string_view key = View(envs[i].getKey());
    const absl::string_view value = View(envs[i].getValue());
    if (key.empty()) return Refuse(absl::StrCat(kField, "[", i, "].key"), "must not be empty");
    if (HasNul(key) || absl::StrContains(key, '=')) {
      return Refuse(absl::StrCat(kField, "[", i, "].key"), "holds \"=\" or a NUL byte");
    }
    if (HasNul(value)) return Refuse(absl::StrCat(kField, "[", i, "].value"), "holds a NUL byte");
    bytes += key.size() + value.size() + 2;
  }
  if (bytes > kMaxArgumentBytes) return Refuse(kField, "more than 1 MiB in all");
  return absl::OkStatus();
}

// What the kernel accepts is the kernel's to say; these are the bounds of the meaning.
struct Range {
  const char* field;
  int64_t value;
  int64_t min;
  int64_t max;
};

absl::Status CheckRanges(absl::string_view base, Resources::Reader r) {
  constexpr int64_t kMax = INT64_MAX;
  const std::array<Range, 6> ranges = {{
      {"cpu_period", r.getCpuPeriod(), 0, 1'000'000},
      {"cpu_quota", r.getCpuQuota(), -1, kMax},
      {"cpu_shares", r.getCpuShares(), 0, 262'144},
      {"memory_limit_in_bytes", r.getMemoryLimit(), 0, kMax},
      {"memory_swap_limit_in_bytes", r.getMemorySwapLimit(), -1, kMax},
      {"oom_score_adj", r.getOomScoreAdj(), -1000, 1000},
  }};
  for (const Range& range : ranges) {
    if (range.value < range.min || range.value > range.max) {
      return Refuse(absl::StrCat(base, ".", range.field),
                    absl::StrCat("must be ", range.min, " to ", range.max));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCpuset(absl::string_view field, absl::string_view list) {
  if (list.size() > kMaxCpusetBytes ||
      list.find_first_not_of("0123456789,-") != absl::string_view::npos) {
    return Refuse(field, "not a list of numbers and ranges");
  }
  return absl::OkStatus();
}

// "2MB", "1GB": a number and a unit, never a path.
bool IsPageSize(absl::string_view text) {
  if (!absl::ConsumeSuffix(&text, "KB") && !absl::ConsumeSuffix(&text, "MB") &&
      !absl::ConsumeSuffix(&text, "GB")) {
    return false;
  }
  uint32_t number = 0;
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &number) && number > 0;
}

// The name of a file of cgroup v2, "memory.high".
bool IsCgroupFile(absl::string_view text) {
  return absl::StrContains(text, '.') && text.front() != '.' && text.back() != '.' &&
         !absl::StrContains(text, "..") && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
         });
}

// Working directory, log path and stop signal: what is neither a list nor a limit.
absl::Status CheckScalars(ContainerConfig::Reader config) {
  if (config.getWorkingDir().size() != 0) {
    BULKHEAD_RETURN_IF_ERROR(CheckPath("config.working_dir", View(config.getWorkingDir())));
  }
  if (config.getLogPath().size() != 0) {
    const absl::string_view path = View(config.getLogPath());
    BULKHEAD_ASSIGN_OR_RETURN(const std::string clean,
                              base::CleanRelativePath("config.log_path", path));
    if (clean != path) return Refuse("config.log_path", "not a clean path");
  }
  if (config.getStopSignal() < 0 || config.getStopSignal() > kMaxSignal) {
    return Refuse("config.stop_signal", "unknown");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckArguments(absl::string_view field, capnp::List<capnp::Text>::Reader arguments) {
  if (arguments.size() == 0) return Refuse(field, "must not be empty");
  return CheckWords(field, arguments);
}

absl::Status CheckResources(absl::string_view field, Resources::Reader resources) {
  const std::string base(field);
  BULKHEAD_RETURN_IF_ERROR(CheckRanges(base, resources));
  BULKHEAD_RETURN_IF_ERROR(CheckCpuset(base + ".cpuset_cpus", View(resources.getCpusetCpus())));
  BULKHEAD_RETURN_IF_ERROR(CheckCpuset(base + ".cpuset_mems", View(resources.getCpusetMems())));
  const auto limits = resources.getHugepageLimits();
  BULKHEAD_RETURN_IF_ERROR(CheckCount(base + ".hugepage_limits", limits.size(), kMaxHugepageSizes));
  for (size_t i = 0; i < limits.size(); ++i) {
    if (!IsPageSize(View(limits[i].getPageSize()))) {
      return Refuse(absl::StrCat(base, ".hugepage_limits[", i, "].page_size"),
                    "must be a number with KB, MB or GB");
    }
  }
  BULKHEAD_RETURN_IF_ERROR(
      CheckMap(base + ".unified", resources.getUnified(), kMaxUnified, kMaxUnifiedBytes));
  for (const auto entry : resources.getUnified()) {
    if (!IsCgroupFile(View(entry.getKey()))) {
      return Refuse(base + ".unified",
                    absl::StrCat(View(entry.getKey()), " is not the name of a cgroup file"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckContainerConfig(ContainerConfig::Reader config) {
  BULKHEAD_RETURN_IF_ERROR(
      CheckName("config.metadata.name", View(config.getName()), kMaxNameBytes));
  BULKHEAD_RETURN_IF_ERROR(CheckImageName("config.image.image", View(config.getImage())));
  BULKHEAD_RETURN_IF_ERROR(CheckLine("config.image.user_specified_image",
                                     View(config.getUserSpecifiedImage()), kMaxImageBytes));
  BULKHEAD_RETURN_IF_ERROR(CheckWords("config.command", config.getCommand()));
  BULKHEAD_RETURN_IF_ERROR(CheckWords("config.args", config.getArgs()));
  BULKHEAD_RETURN_IF_ERROR(CheckScalars(config));
  BULKHEAD_RETURN_IF_ERROR(CheckEnvs(config.getEnvs()));
  BULKHEAD_RETURN_IF_ERROR(CheckMountsAndDevices(config));
  BULKHEAD_RETURN_IF_ERROR(CheckLabels("config.labels", config.getLabels()));
  BULKHEAD_RETURN_IF_ERROR(CheckAnnotations("config.annotations", config.getAnnotations()));
  BULKHEAD_RETURN_IF_ERROR(CheckResources("config.linux.resources", config.getResources()));
  return CheckSecurityContext(config.getSecurity());
}

absl::Status CheckStreams(bool tty, bool in, bool out, bool err) {
  if (!in && !out && !err) return Refuse("stdin", "one of stdin, stdout and stderr must be set");
  if (tty && err) return Refuse("stderr", "a terminal has none of its own");
  return absl::OkStatus();
}

}  // namespace bulkhead::validate
