#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status.h"
#include "worker/import/import.h"

namespace bulkhead::worker {
namespace {

constexpr size_t kMaxTags = 100;

// The digest that a name claims: "blobs/sha256/<hex>", "<hex>.json" or "<hex>.tar". Empty: none.
std::string ClaimedDigest(absl::string_view name, absl::string_view suffix) {
  if (!absl::ConsumePrefix(&name, "blobs/sha256/")) absl::ConsumeSuffix(&name, suffix);
  return base::IsId(name) ? base::FromHex(name) : "";
}

absl::StatusOr<Section> FindSection(const ArchiveIndex& index, const std::string& name,
                                    absl::string_view suffix, MediaType type) {
  BULKHEAD_ASSIGN_OR_RETURN(Extent extent, index.Find(name));
  if (extent.size == 0) return absl::InvalidArgumentError("archive: an empty config or layer");
  return Section{extent, ClaimedDigest(name, suffix), type};
}

absl::StatusOr<std::vector<std::string>> ReadNames(const Json& json, const char* key, size_t max) {
  BULKHEAD_ASSIGN_OR_RETURN(const Json::array_t* array, ArrayMember(json, key));
  if (array->size() > max) {
    return absl::ResourceExhaustedError(absl::StrCat(key, ": more than ", max, " entries"));
  }
  std::vector<std::string> out;
  for (const Json& each : *array) {
    const auto* text = each.get_ptr<const std::string*>();
    if (text == nullptr) return absl::InvalidArgumentError(absl::StrCat(key, ": holds no string"));
    out.push_back(*text);
  }
  return out;
}

absl::StatusOr<FoundImage> ReadImage(const ArchiveIndex& index, const Json& json) {
  FoundImage image;
  BULKHEAD_ASSIGN_OR_RETURN(image.repo_tags, ReadNames(json, "RepoTags", kMaxTags));
  BULKHEAD_ASSIGN_OR_RETURN(std::string config, StringMember(json, "Config"));
  if (config.empty()) return absl::InvalidArgumentError("Config: missing");
  BULKHEAD_ASSIGN_OR_RETURN(image.config, FindSection(index, config, ".json", MediaType::CONFIG));
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> layers,
                            ReadNames(json, "Layers", kMaxLayers));
  for (const std::string& layer : layers) {
    // Plain by convention, but who unpacks it looks for itself.
    BULKHEAD_ASSIGN_OR_RETURN(Section section,
                              FindSection(index, layer, ".tar", MediaType::UNKNOWN));
    image.layers.push_back(std::move(section));
  }
  return image;
}

}  // namespace

absl::StatusOr<std::vector<FoundImage>> FindDockerImages(int archive, const ArchiveIndex& index) {
  BULKHEAD_ASSIGN_OR_RETURN(Extent extent, index.Find("manifest.json"));
  absl::StatusOr<Json> json = ReadJson(archive, extent);
  if (!json.ok()) return base::Annotate(json.status(), "manifest.json");
  const auto* list = json->get_ptr<const Json::array_t*>();
  if (list == nullptr) return absl::InvalidArgumentError("manifest.json: is no array");
  if (list->size() > kMaxImages) {
    return absl::ResourceExhaustedError(absl::StrCat("archive: more than ", kMaxImages, " images"));
  }
  std::vector<FoundImage> images;
  for (const Json& each : *list) {
    absl::StatusOr<FoundImage> image = ReadImage(index, each);
    if (!image.ok()) return base::Annotate(image.status(), "manifest.json");
    images.push_back(*std::move(image));
  }
  if (images.empty()) return absl::NotFoundError("archive: manifest.json lists no image");
  return images;
}

}  // namespace bulkhead::worker
