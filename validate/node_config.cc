#include "validate/node_config.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/status.h"
#include "validate/mount_options.h"
#include "validate/text.h"

namespace bulkhead::validate {
namespace {

using schema::CdiEdits;
using schema::SeccompFilter;

constexpr size_t kMaxRules = 2048;
constexpr size_t kMaxNames = 2048;
constexpr size_t kMaxWordBytes = 64;
constexpr size_t kMaxWords = 32;
constexpr size_t kMaxArguments = 16;
constexpr uint32_t kMaxErrno = 4095;
constexpr uint8_t kLastArgument = 5;
constexpr size_t kMaxEntries = 1024;
constexpr size_t kMaxTextBytes = 64 << 10;
constexpr uint32_t kMaxTimeoutSeconds = 600;

absl::Status CheckWords(absl::string_view field, capnp::List<capnp::Text>::Reader words,
                        size_t max) {
  BULKHEAD_RETURN_IF_ERROR(CheckCount(field, words.size(), max));
  for (const auto text : words) {
    const absl::string_view word = View(text);
    const bool good = !word.empty() && word.size() <= kMaxWordBytes &&
                      std::all_of(word.begin(), word.end(),
                                  [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
    if (!good) return Refuse(field, "not a name");
  }
  return absl::OkStatus();
}

absl::Status CheckRule(SeccompFilter::Rule::Reader rule) {
  BULKHEAD_RETURN_IF_ERROR(CheckWords("seccomp: names", rule.getNames(), kMaxNames));
  BULKHEAD_RETURN_IF_ERROR(CheckCount("seccomp: args", rule.getArgs().size(), kMaxArguments));
  bool known = rule.getNames().size() > 0 && rule.getErrno() <= kMaxErrno &&
               IsKnown(rule.getAction(), SeccompFilter::Action::ALLOW);
  for (const auto arg : rule.getArgs()) {
    known = known && arg.getIndex() <= kLastArgument &&
            IsKnown(arg.getOp(), SeccompFilter::Compare::MASKED_EQUAL);
  }
  return known ? absl::OkStatus() : Refuse("seccomp", "a rule that cannot be");
}

absl::Status CheckTexts(absl::string_view field, capnp::List<capnp::Text>::Reader texts) {
  BULKHEAD_RETURN_IF_ERROR(CheckCount(field, texts.size(), kMaxEntries));
  size_t bytes = 0;
  for (const auto text : texts) {
    bytes += text.size() + 1;
    if (View(text).find('\0') != absl::string_view::npos) return Refuse(field, "holds a NUL byte");
  }
  return bytes <= kMaxTextBytes ? absl::OkStatus() : Refuse(field, "too long");
}

absl::Status CheckMount(CdiEdits::Mount::Reader mount) {
  BULKHEAD_RETURN_IF_ERROR(CheckPath("CDI mount", View(mount.getHostPath())));
  BULKHEAD_RETURN_IF_ERROR(CheckPath("CDI mount", View(mount.getContainerPath())));
  if (mount.getContainerPath() == "/"_kj || !AreMountOptions(mount.getOptions())) {
    return Refuse("CDI mount", "a place or options that cannot be");
  }
  return absl::OkStatus();
}

absl::Status CheckVariables(capnp::List<schema::KeyValue>::Reader env) {
  BULKHEAD_RETURN_IF_ERROR(CheckCount("CDI env", env.size(), kMaxEntries));
  for (const auto entry : env) {
    const absl::string_view key = View(entry.getKey());
    if (key.empty() || absl::StrContains(key, '=') || entry.getValue().size() > kMaxTextBytes ||
        View(entry.getValue()).find('\0') != absl::string_view::npos ||
        key.find('\0') != absl::string_view::npos) {
      return Refuse("CDI env", "not a variable");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAllowed(CdiEdits::Hook::Reader hook, capnp::List<capnp::Text>::Reader allowed) {
  for (const auto path : allowed) {
    if (path == hook.getPath()) return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("its hook ", View(hook.getPath()),
                   " is not among the programs that cdi.hooks of the configuration allows"));
}

}  // namespace

absl::Status CheckSeccompFilter(SeccompFilter::Reader filter) {
  if (!IsKnown(filter.getDefaultAction(), SeccompFilter::Action::ALLOW) ||
      filter.getDefaultErrno() > kMaxErrno) {
    return Refuse("seccomp", "a default that cannot be");
  }
  BULKHEAD_RETURN_IF_ERROR(
      CheckWords("seccomp: architectures", filter.getArchitectures(), kMaxWords));
  BULKHEAD_RETURN_IF_ERROR(CheckWords("seccomp: flags", filter.getFlags(), kMaxWords));
  BULKHEAD_RETURN_IF_ERROR(CheckCount("seccomp: rules", filter.getRules().size(), kMaxRules));
  for (const auto rule : filter.getRules()) BULKHEAD_RETURN_IF_ERROR(CheckRule(rule));
  return absl::OkStatus();
}

absl::Status CheckCdiDevice(CdiEdits::DeviceNode::Reader device) {
  BULKHEAD_RETURN_IF_ERROR(CheckPath("CDI device", View(device.getPath())));
  BULKHEAD_RETURN_IF_ERROR(CheckPath("CDI device", View(device.getHostPath())));
  const absl::string_view letters = View(device.getPermissions());
  if (letters.empty() || letters.size() > 3 ||
      letters.find_first_not_of("rwm") != absl::string_view::npos) {
    return Refuse("CDI device", "permissions must be some of r, w and m");
  }
  if (device.getFileMode() > 07777 || device.getUid() == UINT32_MAX ||
      device.getGid() == UINT32_MAX) {
    return Refuse("CDI device", "a mode or owner that cannot be");
  }
  return absl::OkStatus();
}

absl::Status CheckCdiHook(CdiEdits::Hook::Reader hook) {
  BULKHEAD_RETURN_IF_ERROR(CheckPath("CDI hook", View(hook.getPath())));
  BULKHEAD_RETURN_IF_ERROR(CheckTexts("CDI hook: args", hook.getArgs()));
  BULKHEAD_RETURN_IF_ERROR(CheckTexts("CDI hook: env", hook.getEnv()));
  if (!IsKnown(hook.getPoint(), CdiEdits::Hook::Point::PRESTART) ||
      hook.getTimeoutSeconds() > kMaxTimeoutSeconds) {
    return Refuse("CDI hook", "a point or timeout that cannot be");
  }
  return absl::OkStatus();
}

absl::Status CheckCdiEdits(CdiEdits::Reader edits, capnp::List<capnp::Text>::Reader allowed) {
  BULKHEAD_RETURN_IF_ERROR(CheckVariables(edits.getEnv()));
  BULKHEAD_RETURN_IF_ERROR(CheckCount("CDI devices", edits.getDevices().size(), kMaxEntries));
  for (const auto device : edits.getDevices()) BULKHEAD_RETURN_IF_ERROR(CheckCdiDevice(device));
  BULKHEAD_RETURN_IF_ERROR(CheckCount("CDI mounts", edits.getMounts().size(), kMaxEntries));
  for (const auto mount : edits.getMounts()) BULKHEAD_RETURN_IF_ERROR(CheckMount(mount));
  BULKHEAD_RETURN_IF_ERROR(CheckCount("CDI hooks", edits.getHooks().size(), kMaxEntries));
  for (const auto hook : edits.getHooks()) {
    BULKHEAD_RETURN_IF_ERROR(CheckCdiHook(hook));
    BULKHEAD_RETURN_IF_ERROR(CheckAllowed(hook, allowed));
  }
  return CheckCount("CDI additionalGids", edits.getAdditionalGids().size(), kMaxEntries);
}

}  // namespace bulkhead::validate
