#include <unistd.h>

#include <set>

#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/image.h"
#include "broker/operations/layer.h"
#include "broker/operations/layer_store.h"
#include "broker/operations/list_directory.h"
#include "broker/operations/quarantine.h"

namespace bulkhead::broker {
namespace {

std::set<std::string> LayersInUse(const State& state) {
  std::set<std::string> used;
  auto add = [&used](capnp::List<schema::Digest>::Reader layers) {
    for (auto layer : layers) used.insert(base::ToHex(DigestBytes(layer)));
  };
  for (const auto& [id, image] : state.images()) add(image.read().getConfig().getDiffIds());
  for (const auto& [id, container] : state.containers()) {
    auto record = container->record.read();
    add(record.getLayers());
    for (auto image : record.getImageMounts()) add(image.getLayers());
  }
  for (const auto& [name, lease] : state.pulls()) {
    used.insert(lease.digests.begin(), lease.digests.end());
  }
  return used;
}

}  // namespace

std::set<std::string> BlobsInUse(const State& state) {
  std::set<std::string> used;
  for (const auto& [id, image] : state.images()) {
    used.insert(std::string(absl::StripPrefix(id, "sha256:")));
    used.insert(base::ToHex(DigestBytes(image.read().getManifest())));
    for (auto layer : image.read().getLayerBlobs()) used.insert(base::ToHex(DigestBytes(layer)));
    for (auto evidence : image.read().getEvidence()) {
      for (auto signature : evidence.getSignatures()) {
        used.insert(base::ToHex(DigestBytes(signature.getPayload().getDigest())));
      }
    }
  }
  for (const auto& [name, lease] : state.pulls()) {
    used.insert(lease.digests.begin(), lease.digests.end());
  }
  return used;
}

void DropExpiredPulls(Broker& broker) {
  std::vector<std::string> expired;
  for (const auto& [name, lease] : broker.state.pulls()) {
    if (lease.expires_at_ns < WallClockNs()) expired.push_back(name);
  }
  for (const std::string& name : expired) broker.state.ForgetPull(name).IgnoreError();
}

absl::Status CollectBlobs(Broker& broker) {
  if (broker.layer_pins > 0) return absl::OkStatus();
  std::set<std::string> used = BlobsInUse(broker.state);
  int blobs = broker.directories.blobs.get();
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(blobs));
  for (const std::string& name : names) {
    if (!used.contains(name) && !IsQuarantined(name)) unlinkat(blobs, name.c_str(), 0);
  }
  return absl::OkStatus();
}

absl::Status CollectLayers(Fiber& fiber, Broker& broker) {
  if (broker.layer_pins > 0) return absl::OkStatus();  // the next removal, or the next start, will
  std::set<std::string> used = LayersInUse(broker.state);
  std::vector<std::string> unused;
  for (const auto& [hex, layer] : broker.state.layers()) {
    if (!used.contains(hex)) unused.push_back(hex);
  }
  for (const std::string& hex : unused) {
    // The row first: a layer that is half deleted must not count.
    BULKHEAD_RETURN_IF_ERROR(broker.state.ForgetLayer(hex));
    BULKHEAD_RETURN_IF_ERROR(RemoveLayerFiles(fiber, broker, hex));
  }
  return absl::OkStatus();
}

void CollectUnused(Fiber& fiber, Broker& broker) {
  DropExpiredPulls(broker);
  for (const absl::Status& status : {CollectBlobs(broker), CollectLayers(fiber, broker)}) {
    if (status.ok()) continue;
    base::Log(base::Severity::kWarning, "could not delete what no image needs",
              {{"why", status.message()}});
  }
}

absl::Status RemoveImage(Fiber& fiber, Broker& broker, const std::string& name) {
  const Record<schema::Image>* image = broker.state.FindImage(name);
  if (image == nullptr) return absl::OkStatus();
  std::string id = image->read().getId().cStr();
  BULKHEAD_RETURN_IF_ERROR(broker.state.ForgetImage(id));
  BULKHEAD_RETURN_IF_ERROR(CollectBlobs(broker));
  return CollectLayers(fiber, broker);
}

}  // namespace bulkhead::broker
