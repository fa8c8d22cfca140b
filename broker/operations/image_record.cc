#include "broker/operations/image_record.h"

#include <algorithm>

#include "base/status.h"
#include "broker/operations/layer.h"
#include "broker/operations/signatures.h"

namespace bulkhead::broker {
namespace {

std::vector<std::string> ToVector(capnp::List<capnp::Text>::Reader list) {
  std::vector<std::string> out;
  for (auto text : list) out.push_back(text.cStr());
  return out;
}

template <typename Builder>
void Fill(Builder list, const std::vector<std::string>& values) {
  for (size_t i = 0; i < values.size(); ++i) list.set(i, values[i]);
}

void Merge(std::vector<std::string>& into, const std::vector<std::string>& more) {
  for (const std::string& name : more) {
    if (std::find(into.begin(), into.end(), name) == into.end()) into.push_back(name);
  }
}

// Takes the tags away from every image but this one.
absl::Status MoveTags(Broker& broker, const std::string& id, const std::vector<std::string>& tags) {
  std::vector<Record<schema::Image>> changed;
  for (const auto& [other, image] : broker.state.images()) {
    if (other == id) continue;
    std::vector<std::string> kept = ToVector(image.read().getRepoTags());
    size_t before = kept.size();
    std::erase_if(kept, [&](const std::string& tag) {
      return std::find(tags.begin(), tags.end(), tag) != tags.end();
    });
    if (kept.size() == before) continue;
    Record<schema::Image> edited(image.read());
    Fill(edited.edit().initRepoTags(kept.size()), kept);
    changed.push_back(std::move(edited));
  }
  for (Record<schema::Image>& image : changed) {
    BULKHEAD_RETURN_IF_ERROR(broker.state.SaveImage(std::move(image)));
  }
  return absl::OkStatus();
}

// One that was kept earlier stays kept where it came another time without.
void FillBlobs(Record<schema::Image>& image, const std::vector<std::string>& digests,
               const Record<schema::Image>* known) {
  if (digests.empty()) {
    if (known != nullptr) image.edit().setLayerBlobs(known->read().getLayerBlobs());
    return;
  }
  auto list = image.edit().initLayerBlobs(digests.size());
  for (size_t i = 0; i < digests.size(); ++i) {
    list[i].setBytes(kj::StringPtr(digests[i].c_str(), digests[i].size()).asBytes());
  }
}

}  // namespace

absl::Status NameImage(Broker& broker, const std::string& config_digest,
                       schema::ImageConfig::Reader config, uint64_t size_bytes,
                       const std::string& manifest_digest, const ImageNames& names) {
  std::string id = DigestText(config_digest);
  ImageNames all;
  auto known = broker.state.images().find(id);
  if (known != broker.state.images().end()) {
    all.tags = ToVector(known->second.read().getRepoTags());
    all.digests = ToVector(known->second.read().getRepoDigests());
  }
  Merge(all.tags, names.tags);
  Merge(all.digests, names.digests);
  BULKHEAD_RETURN_IF_ERROR(MoveTags(broker, id, names.tags));
  Record<schema::Image> image;
  if (known != broker.state.images().end()) {
    image.edit().setEvidence(known->second.read().getEvidence());
  }
  image.edit().setId(id);
  Fill(image.edit().initRepoTags(all.tags.size()), all.tags);
  Fill(image.edit().initRepoDigests(all.digests.size()), all.digests);
  image.edit().setSizeBytes(size_bytes);
  image.edit().setConfig(config);
  image.edit().initManifest().setBytes(
      kj::StringPtr(manifest_digest.c_str(), manifest_digest.size()).asBytes());
  FillBlobs(image, names.layer_blobs,
            known == broker.state.images().end() ? nullptr : &known->second);
  for (const Record<schema::Evidence>& evidence : names.evidence) {
    SetEvidence(image, evidence.read());
  }
  return broker.state.SaveImage(std::move(image));
}

}  // namespace bulkhead::broker
