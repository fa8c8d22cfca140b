#include "worker/nodeconfig/cdi_devices.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

void Append(const CdiEdit& from, CdiEdit* to) {
  to->env.insert(to->env.end(), from.env.begin(), from.env.end());
  to->devices.insert(to->devices.end(), from.devices.begin(), from.devices.end());
  to->mounts.insert(to->mounts.end(), from.mounts.begin(), from.mounts.end());
  to->hooks.insert(to->hooks.end(), from.hooks.begin(), from.hooks.end());
  to->additional_gids.insert(to->additional_gids.end(), from.additional_gids.begin(),
                             from.additional_gids.end());
}

void WriteDevices(const CdiEdit& edit, schema::CdiEdits::Builder out) {
  auto list = out.initDevices(edit.devices.size());
  for (size_t i = 0; i < edit.devices.size(); ++i) {
    const CdiEdit::Device& device = edit.devices[i];
    list[i].setPath(device.path);
    list[i].setHostPath(device.host_path);
    list[i].setPermissions(device.permissions);
    list[i].setHasFileMode(device.file_mode.has_value());
    list[i].setFileMode(device.file_mode.value_or(0));
    list[i].setHasUid(device.uid.has_value());
    list[i].setUid(device.uid.value_or(0));
    list[i].setHasGid(device.gid.has_value());
    list[i].setGid(device.gid.value_or(0));
  }
}

template <typename List>
void WriteTexts(const std::vector<std::string>& texts, List list) {
  for (size_t i = 0; i < texts.size(); ++i) list.set(i, texts[i]);
}

void WriteHooks(const CdiEdit& edit, schema::CdiEdits::Builder out) {
  auto list = out.initHooks(edit.hooks.size());
  for (size_t i = 0; i < edit.hooks.size(); ++i) {
    const CdiEdit::Hook& hook = edit.hooks[i];
    list[i].setPoint(hook.point);
    list[i].setPath(hook.path);
    WriteTexts(hook.args, list[i].initArgs(hook.args.size()));
    WriteTexts(hook.env, list[i].initEnv(hook.env.size()));
    list[i].setTimeoutSeconds(hook.timeout_seconds);
  }
}

void Write(const CdiEdit& edit, schema::CdiEdits::Builder out) {
  auto env = out.initEnv(edit.env.size());
  for (size_t i = 0; i < edit.env.size(); ++i) {
    env[i].setKey(edit.env[i].first);
    const std::string& value = edit.env[i].second;
    env[i].setValue(kj::StringPtr(value.c_str(), value.size()).asBytes());
  }
  WriteDevices(edit, out);
  auto mounts = out.initMounts(edit.mounts.size());
  for (size_t i = 0; i < edit.mounts.size(); ++i) {
    mounts[i].setHostPath(edit.mounts[i].host_path);
    mounts[i].setContainerPath(edit.mounts[i].container_path);
    mounts[i].setReadonly(edit.mounts[i].readonly);
    mounts[i].setOptions(edit.mounts[i].options);
  }
  WriteHooks(edit, out);
  auto gids = out.initAdditionalGids(edit.additional_gids.size());
  for (size_t i = 0; i < edit.additional_gids.size(); ++i) gids.set(i, edit.additional_gids[i]);
}

}  // namespace

void CdiRegistry::Add(CdiSpec spec, unsigned directory) {
  specs_.push_back(std::make_unique<CdiSpec>(std::move(spec)));
  const CdiSpec* kept = specs_.back().get();
  for (const auto& [name, edit] : kept->devices) {
    Source& source = devices_[absl::StrCat(kept->kind, "=", name)];
    if (source.spec != nullptr && source.directory > directory) continue;
    source.conflict = source.spec != nullptr && source.directory == directory;
    source.spec = kept;
    source.directory = directory;
  }
}

void CdiRegistry::AddBroken(const std::string& name, const absl::Status& why) {
  if (broken_.size() < 1024) absl::StrAppend(&broken_, "; ", name, ": ", why.message());
}

absl::Status CdiRegistry::Resolve(const std::vector<std::string>& devices,
                                  schema::CdiEdits::Builder out) const {
  CdiEdit all;
  std::set<const CdiSpec*> seen;
  std::set<std::string> done;
  for (const std::string& name : devices) {
    if (!done.insert(name).second) continue;
    const auto found = devices_.find(name);
    if (found == devices_.end()) {
      return absl::NotFoundError(absl::StrCat("CDI device ", name, ": no spec has it", broken_));
    }
    if (found->second.conflict) {
      return absl::FailedPreconditionError(
          absl::StrCat("CDI device ", name, ": two specs of one directory have it"));
    }
    const CdiSpec* spec = found->second.spec;
    if (seen.insert(spec).second) Append(spec->edit, &all);
    Append(spec->devices.at(name.substr(name.find('=') + 1)), &all);
  }
  Write(all, out);
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
