#include "worker/nodeconfig/cdi_spec.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "validate/cdi_name.h"
#include "validate/mount_options.h"

namespace bulkhead::worker {
namespace {

using Point = schema::CdiEdits::Hook::Point;

constexpr size_t kMaxEntries = 1024;
constexpr size_t kMaxDevices = 4096;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("CDI spec: ", what));
}

absl::Status OnlyKeys(const Json& object, absl::string_view what,
                      std::initializer_list<absl::string_view> known) {
  const auto* members = object.get_ptr<const Json::object_t*>();
  if (members == nullptr) return Bad(absl::StrCat(what, " is no object"));
  for (const auto& [key, value] : *members) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Bad(absl::StrCat(what, " has a key that is not supported"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const Json::array_t*> Entries(const Json& object, const char* key) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* array, ArrayMember(object, key));
  if (array->size() > kMaxEntries)
    return absl::ResourceExhaustedError(absl::StrCat(key, ": too many"));
  return array;
}

absl::StatusOr<std::vector<std::string>> Texts(const Json& object, const char* key) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* array, Entries(object, key));
  std::vector<std::string> texts;
  for (const Json& element : *array) {
    const auto* text = element.get_ptr<const std::string*>();
    if (text == nullptr) return Bad(absl::StrCat(key, " is no list of strings"));
    texts.push_back(*text);
  }
  return texts;
}

absl::StatusOr<std::string> PathMember(const Json& object, const char* key) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, StringMember(object, key));
  return base::CleanAbsolutePath(absl::StrCat("CDI spec: ", key), text);
}

absl::StatusOr<std::optional<uint32_t>> NumberMember(const Json& object, const char* key) {
  const Json* member = Member(object, key);
  if (member == nullptr) return std::optional<uint32_t>();
  const auto* number = member->get_ptr<const Json::number_unsigned_t*>();
  if (number == nullptr || *number >= UINT32_MAX) return Bad(absl::StrCat(key, ": out of range"));
  return std::optional<uint32_t>(static_cast<uint32_t>(*number));
}

// type, major and minor are read to be checked, and then left out: they are those of the device
// that the node has at that path.
absl::StatusOr<CdiEdit::Device> ParseDevice(const Json& in) {
  BULKHEAD_RETURN_IF_ERROR(OnlyKeys(
      in, "deviceNodes",
      {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"}));
  CdiEdit::Device out;
  BULKHEAD_ASSIGN_OR_RETURN(out.path, PathMember(in, "path"));
  out.host_path = out.path;
  if (Member(in, "hostPath") != nullptr) {
    BULKHEAD_ASSIGN_OR_RETURN(out.host_path, PathMember(in, "hostPath"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::string type, StringMember(in, "type"));
  if (type.size() > 1 || type.find_first_not_of("cub") != std::string::npos) {
    return Bad("type: no device");
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::string permissions, StringMember(in, "permissions"));
  if (permissions.find_first_not_of("rwm") != std::string::npos) return Bad("permissions: not rwm");
  if (!permissions.empty()) out.permissions = permissions;
  BULKHEAD_ASSIGN_OR_RETURN(out.file_mode, NumberMember(in, "fileMode"));
  if (out.file_mode.value_or(0) > 07777) *out.file_mode &= 07777;  // with the type's bits
  BULKHEAD_ASSIGN_OR_RETURN(out.uid, NumberMember(in, "uid"));
  BULKHEAD_ASSIGN_OR_RETURN(out.gid, NumberMember(in, "gid"));
  return out;
}

absl::StatusOr<CdiEdit::Mount> ParseMount(const Json& in) {
  BULKHEAD_RETURN_IF_ERROR(
      OnlyKeys(in, "mounts", {"hostPath", "containerPath", "options", "type"}));
  CdiEdit::Mount out;
  BULKHEAD_ASSIGN_OR_RETURN(out.host_path, PathMember(in, "hostPath"));
  BULKHEAD_ASSIGN_OR_RETURN(out.container_path, PathMember(in, "containerPath"));
  if (out.container_path == "/") return Bad("containerPath: the root");
  BULKHEAD_ASSIGN_OR_RETURN(const std::string type, StringMember(in, "type"));
  if (!type.empty() && type != "bind" && type != "none")
    return Bad("a mount that is no bind mount");
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> options, Texts(in, "options"));
  for (const std::string& option : options) {
    if (option == "ro") out.readonly = true;
    if (!validate::AddMountOption(option, &out.options)) return Bad("options: an unknown word");
  }
  if (!validate::AreMountOptions(out.options)) return Bad("options: contradict one another");
  return out;
}

absl::StatusOr<CdiEdit::Hook> ParseHook(const Json& in) {
  constexpr std::pair<absl::string_view, Point> kPoints[] = {
      {"prestart", Point::PRESTART},
      {"createRuntime", Point::CREATE_RUNTIME},
      {"createContainer", Point::CREATE_CONTAINER},
      {"startContainer", Point::START_CONTAINER},
      {"poststart", Point::POSTSTART},
      {"poststop", Point::POSTSTOP},
  };
  BULKHEAD_RETURN_IF_ERROR(OnlyKeys(in, "hooks", {"hookName", "path", "args", "env", "timeout"}));
  CdiEdit::Hook out;
  BULKHEAD_ASSIGN_OR_RETURN(const std::string name, StringMember(in, "hookName"));
  const auto* point = std::find_if(std::begin(kPoints), std::end(kPoints),
                                   [&](const auto& entry) { return entry.first == name; });
  if (point == std::end(kPoints)) return Bad("hookName: unknown");
  out.point = point->second;
  BULKHEAD_ASSIGN_OR_RETURN(out.path, PathMember(in, "path"));
  BULKHEAD_ASSIGN_OR_RETURN(out.args, Texts(in, "args"));
  BULKHEAD_ASSIGN_OR_RETURN(out.env, Texts(in, "env"));
  BULKHEAD_ASSIGN_OR_RETURN(const std::optional<uint32_t> timeout, NumberMember(in, "timeout"));
  out.timeout_seconds = timeout.value_or(0);
  return out;
}

absl::Status ParseEnv(const Json& in, CdiEdit* out) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<std::string> env, Texts(in, "env"));
  for (const std::string& entry : env) {
    const size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) return Bad("env: not NAME=VALUE");
    out->env.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return absl::OkStatus();
}

// Each entry of a list, through parse.
template <typename T>
absl::Status ParseEach(const Json& in, const char* key, absl::StatusOr<T> (*parse)(const Json&),
                       std::vector<T>* out) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* entries, Entries(in, key));
  for (const Json& entry : *entries) {
    BULKHEAD_ASSIGN_OR_RETURN(T parsed, parse(entry));
    out->push_back(std::move(parsed));
  }
  return absl::OkStatus();
}

absl::StatusOr<CdiEdit> ParseEdit(const Json& holder) {
  CdiEdit out;
  const Json* in = Member(holder, "containerEdits");
  if (in == nullptr) return out;
  BULKHEAD_RETURN_IF_ERROR(
      OnlyKeys(*in, "containerEdits", {"env", "deviceNodes", "mounts", "hooks", "additionalGids"}));
  BULKHEAD_RETURN_IF_ERROR(ParseEnv(*in, &out));
  BULKHEAD_RETURN_IF_ERROR(ParseEach(*in, "deviceNodes", ParseDevice, &out.devices));
  BULKHEAD_RETURN_IF_ERROR(ParseEach(*in, "mounts", ParseMount, &out.mounts));
  BULKHEAD_RETURN_IF_ERROR(ParseEach(*in, "hooks", ParseHook, &out.hooks));
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* gids, Entries(*in, "additionalGids"));
  for (const Json& gid : *gids) {
    const auto* number = gid.get_ptr<const Json::number_unsigned_t*>();
    if (number == nullptr || *number >= UINT32_MAX) return Bad("additionalGids: out of range");
    // 0 says nothing, by the specification.
    if (*number != 0) out.additional_gids.push_back(static_cast<uint32_t>(*number));
  }
  return out;
}

}  // namespace

absl::StatusOr<CdiSpec> ParseCdiSpec(const Json& document) {
  BULKHEAD_RETURN_IF_ERROR(
      OnlyKeys(document, "it", {"cdiVersion", "kind", "annotations", "devices", "containerEdits"}));
  CdiSpec spec;
  BULKHEAD_ASSIGN_OR_RETURN(spec.kind, StringMember(document, "kind"));
  if (!validate::IsCdiKind(spec.kind)) return Bad("kind: not vendor/class");
  BULKHEAD_ASSIGN_OR_RETURN(const std::string version, StringMember(document, "cdiVersion"));
  if (version.rfind("0.", 0) != 0 && version.rfind("1.", 0) != 0) return Bad("cdiVersion: unknown");
  BULKHEAD_ASSIGN_OR_RETURN(spec.edit, ParseEdit(document));
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* devices, ArrayMember(document, "devices"));
  if (devices->size() > kMaxDevices) return absl::ResourceExhaustedError("devices: too many");
  for (const Json& device : *devices) {
    BULKHEAD_RETURN_IF_ERROR(
        OnlyKeys(device, "devices", {"name", "annotations", "containerEdits"}));
    BULKHEAD_ASSIGN_OR_RETURN(const std::string name, StringMember(device, "name"));
    if (!validate::IsCdiDeviceName(name)) return Bad("devices: a bad name");
    if (spec.devices.contains(name)) return Bad("devices: a name is there twice");
    BULKHEAD_ASSIGN_OR_RETURN(spec.devices[name], ParseEdit(device));
  }
  return spec;
}

}  // namespace bulkhead::worker
