#include "worker/parse/image_config.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

// Counts what all fields together take.
class Budget {
 public:
  absl::Status Take(absl::string_view field, size_t bytes) {
    if (bytes > kMaxConfigText || bytes > left_) {
      return absl::ResourceExhaustedError(absl::StrCat(field, ": too long"));
    }
    left_ -= bytes;
    return absl::OkStatus();
  }
  absl::Status CheckCount(absl::string_view field, size_t count) {
    if (count <= kMaxConfigList) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat(field, ": more than ", kMaxConfigList, " entries"));
  }

 private:
  size_t left_ = kMaxConfigBytes;
};

absl::StatusOr<std::string> ReadText(const Json& object, const char* key, Budget& budget) {
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, StringMember(object, key));
  BULKHEAD_RETURN_IF_ERROR(budget.Take(key, text.size()));
  return text;
}

absl::StatusOr<std::vector<std::string>> ReadList(const Json& object, const char* key,
                                                  Budget& budget) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* array, ArrayMember(object, key));
  BULKHEAD_RETURN_IF_ERROR(budget.CheckCount(key, array->size()));
  std::vector<std::string> out;
  for (const Json& each : *array) {
    const auto* text = each.get_ptr<const std::string*>();
    if (text == nullptr) return absl::InvalidArgumentError(absl::StrCat(key, ": holds no string"));
    BULKHEAD_RETURN_IF_ERROR(budget.Take(key, text->size()));
    out.push_back(*text);
  }
  return out;
}

void WriteList(const std::vector<std::string>& from, capnp::List<capnp::Text>::Builder to) {
  for (size_t i = 0; i < from.size(); ++i) to.set(i, from[i]);
}

// "KEY=value"; a string without '=' or without a key defines no variable and is left out.
absl::Status ReadEnv(const Json& config, Budget& budget, schema::ImageConfig::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> env, ReadList(config, "Env", budget));
  std::erase_if(env, [](const std::string& text) {
    size_t equals = text.find('=');
    return equals == std::string::npos || equals == 0;
  });
  auto list = out.initEnv(env.size());
  for (size_t i = 0; i < env.size(); ++i) {
    size_t equals = env[i].find('=');
    std::string value = env[i].substr(equals + 1);
    list[i].setKey(env[i].substr(0, equals));
    list[i].setValue(
        kj::arrayPtr(reinterpret_cast<const kj::byte*>(value.data()), value.size()));
  }
  return absl::OkStatus();
}

absl::Status ReadLabels(const Json& config, Budget& budget, schema::ImageConfig::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::object_t* labels, ObjectMember(config, "Labels"));
  BULKHEAD_RETURN_IF_ERROR(budget.CheckCount("Labels", labels->size()));
  auto list = out.initLabels(labels->size());
  size_t i = 0;
  for (const auto& [key, json] : *labels) {
    const auto* value = json.get_ptr<const std::string*>();
    if (value == nullptr) return absl::InvalidArgumentError("Labels: holds no string");
    BULKHEAD_RETURN_IF_ERROR(budget.Take("Labels", key.size() + value->size()));
    list[i].setKey(key);
    list[i].setValue(*value);
    ++i;
  }
  return absl::OkStatus();
}

// Volumes are the keys of an object whose values say nothing.
absl::Status ReadVolumes(const Json& config, Budget& budget, schema::ImageConfig::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::object_t* volumes, ObjectMember(config, "Volumes"));
  BULKHEAD_RETURN_IF_ERROR(budget.CheckCount("Volumes", volumes->size()));
  auto list = out.initVolumes(volumes->size());
  size_t i = 0;
  for (const auto& [path, unused] : *volumes) {
    BULKHEAD_RETURN_IF_ERROR(budget.Take("Volumes", path.size()));
    list.set(i++, path);
  }
  return absl::OkStatus();
}

absl::Status ReadCommand(const Json& config, Budget& budget, schema::ImageConfig::Builder out) {
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> entrypoint,
                            ReadList(config, "Entrypoint", budget));
  WriteList(entrypoint, out.initEntrypoint(entrypoint.size()));
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> cmd, ReadList(config, "Cmd", budget));
  WriteList(cmd, out.initCmd(cmd.size()));
  BULKHEAD_ASSIGN_OR_RETURN(std::string working_dir, ReadText(config, "WorkingDir", budget));
  out.setWorkingDir(working_dir);
  BULKHEAD_ASSIGN_OR_RETURN(std::string user, ReadText(config, "User", budget));
  out.setUser(user);
  BULKHEAD_ASSIGN_OR_RETURN(std::string stop_signal, ReadText(config, "StopSignal", budget));
  out.setStopSignal(stop_signal);
  return absl::OkStatus();
}

absl::Status ReadDiffIds(const Json& document, schema::ImageConfig::Builder out) {
  const Json* rootfs = Member(document, "rootfs");
  if (rootfs == nullptr) return absl::InvalidArgumentError("rootfs: missing");
  BULKHEAD_ASSIGN_OR_RETURN(std::string type, StringMember(*rootfs, "type"));
  if (type != "layers") return absl::InvalidArgumentError("rootfs: its type is not layers");
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* ids, ArrayMember(*rootfs, "diff_ids"));
  if (ids->size() > kMaxLayers) {
    return absl::ResourceExhaustedError(
        absl::StrCat("diff_ids: more than ", kMaxLayers, " entries"));
  }
  auto list = out.initDiffIds(ids->size());
  for (size_t i = 0; i < ids->size(); ++i) {
    const auto* text = (*ids)[i].get_ptr<const std::string*>();
    if (text == nullptr) return absl::InvalidArgumentError("diff_ids: holds no string");
    absl::StatusOr<std::string> digest = ParseDigest(*text);
    if (!digest.ok()) return base::Annotate(digest.status(), absl::StrCat("diff_ids[", i, "]"));
    WriteDigest(*digest, list[i]);
  }
  return absl::OkStatus();
}

absl::Status ReadPlatform(const Json& document, const Platform& wanted, Budget& budget,
                          schema::ImageConfig::Builder out) {
  Platform own;
  BULKHEAD_ASSIGN_OR_RETURN(std::string os, ReadText(document, "os", budget));
  BULKHEAD_ASSIGN_OR_RETURN(own.architecture, ReadText(document, "architecture", budget));
  BULKHEAD_ASSIGN_OR_RETURN(own.variant, ReadText(document, "variant", budget));
  out.setOs(os);
  out.setArchitecture(own.architecture);
  out.setVariant(own.variant);
  if ((os.empty() || os == "linux") && (wanted.architecture.empty() || CanRun(wanted, own))) {
    return absl::OkStatus();
  }
  return absl::NotFoundError("the image is made for another platform");
}

}  // namespace

absl::Status ReadImageConfig(const Json& document, const Platform& wanted,
                             schema::ImageConfig::Builder out) {
  if (!document.is_object()) return absl::InvalidArgumentError("image config: is no object");
  Budget budget;
  BULKHEAD_RETURN_IF_ERROR(ReadPlatform(document, wanted, budget, out));
  BULKHEAD_RETURN_IF_ERROR(ReadDiffIds(document, out));
  BULKHEAD_RETURN_IF_ERROR(ObjectMember(document, "config").status());
  static const Json kNone = Json::object();
  const Json* config = Member(document, "config");
  if (config == nullptr) config = &kNone;
  BULKHEAD_RETURN_IF_ERROR(ReadEnv(*config, budget, out));
  BULKHEAD_RETURN_IF_ERROR(ReadCommand(*config, budget, out));
  BULKHEAD_RETURN_IF_ERROR(ReadLabels(*config, budget, out));
  return ReadVolumes(*config, budget, out);
}

}  // namespace bulkhead::worker
