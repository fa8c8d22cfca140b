#include "tools/config/runtimes.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tools/config/keys.h"

namespace bulkhead::tools {
namespace {

absl::Status ApplyRuntimeType(const Value& value, RuntimeSettings* runtime) {
  BULKHEAD_RETURN_IF_ERROR(value.Text(&runtime->type));
  if (runtime->type == "oci" || runtime->type == "lxc") return absl::OkStatus();
  return value.Error("must be \"oci\" or \"lxc\"");
}

absl::Status ApplyRuntimeUserNamespace(const Value& value, RuntimeSettings* runtime) {
  std::string text;
  BULKHEAD_RETURN_IF_ERROR(value.Text(&text));
  runtime->user_namespace_optional = text == "optional";
  if (text == "optional" || text == "required") return absl::OkStatus();
  return value.Error("must be \"required\" or \"optional\"");
}

constexpr Key<RuntimeSettings> kRuntimeKeys[] = {
    {"user_namespace", ApplyRuntimeUserNamespace},
    {"type", ApplyRuntimeType},
    {"path", [](const Value& value, RuntimeSettings* r) { return value.Path(&r->path); }},
};

}  // namespace

absl::Status ApplyRuntime(const Value& value, RuntimeSettings* runtime) {
  return ApplyTable<RuntimeSettings>(value, kRuntimeKeys, runtime);
}

absl::Status CheckRuntime(const std::string& name, const RuntimeSettings& runtime) {
  const bool lxc = runtime.type == "lxc";
  if (lxc && !runtime.path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("runtimes.", name,
                     ": one of type lxc has no path: liblxc is used, by Bulkhead's own program"));
  }
  if (!lxc && runtime.path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("runtimes.", name, ": has no path"));
  }
  if (lxc || !runtime.user_namespace_optional) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("runtimes.", name, ": user_namespace is for runtimes of type lxc"));
}

}  // namespace bulkhead::tools
