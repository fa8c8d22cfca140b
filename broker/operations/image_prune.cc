#include <set>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/image.h"
#include "broker/operations/layer.h"
#include "broker/operations/quarantine.h"
#include "security/policy/glob.h"
#include "validate/reference.h"

namespace bulkhead::broker {
namespace {

bool AnyFits(absl::string_view glob, schema::Image::Reader image) {
  for (auto names : {image.getRepoTags(), image.getRepoDigests()}) {
    for (auto name : names) {
      if (security::MatchesGlob(glob, name.cStr())) return true;
    }
  }
  return security::MatchesGlob(glob, image.getId().cStr());
}

bool HasName(schema::Image::Reader image, const std::string& text) {
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<schema::ImageReference>();
  if (!validate::ParseReference("image", text, reference).ok()) return false;
  std::string digest = DigestBytes(reference.asReader().getDigest());
  std::string name = digest.empty() ? validate::FormatReference(reference)
                                    : validate::FormatDigestReference(reference, digest);
  return AnyFits(name, image);
}

}  // namespace

bool IsPinned(const Broker& broker, schema::Image::Reader image) {
  for (auto glob : broker.config.getPinnedImages()) {
    if (AnyFits(glob.cStr(), image)) return true;
  }
  std::string sandbox_image = broker.config.getSandboxImage().cStr();
  return !sandbox_image.empty() && HasName(image, sandbox_image);
}

absl::Status CheckLayersUsable(const Broker& broker, schema::Image::Reader image) {
  for (auto diff_id : image.getConfig().getDiffIds()) {
    std::string hex = base::ToHex(DigestBytes(diff_id));
    auto layer = broker.state.layers().find(hex);
    if (layer != broker.state.layers().end() && !layer->second.damaged) continue;
    return absl::DataLossError(absl::StrCat("image ", image.getId().cStr(), ": layer ", hex,
                                            " is missing or damaged; bulkhead check --repair"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PruneImages(Fiber& fiber, Broker& broker, Prune which) {
  std::set<std::string> used;
  for (const auto& [id, container] : broker.state.containers()) {
    used.insert(container->record.read().getImageId().cStr());
  }
  std::vector<std::string> unused;
  for (const auto& [id, image] : broker.state.images()) {
    bool wanted = which == Prune::kUntagged && image.read().getRepoTags().size() > 0;
    if (!wanted && !used.contains(id) && !IsPinned(broker, image.read())) unused.push_back(id);
  }
  for (const std::string& id : unused) {
    BULKHEAD_RETURN_IF_ERROR(RemoveImage(fiber, broker, id));
  }
  BULKHEAD_RETURN_IF_ERROR(EmptyQuarantine(fiber, broker));
  return unused;
}

}  // namespace bulkhead::broker
