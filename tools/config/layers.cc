#include "tools/config/layers.h"

#include <algorithm>
#include <thread>

namespace bulkhead::tools {
namespace {

constexpr uint64_t kTebibyte = uint64_t{1} << 40;
// Fewer would leave a connection or a processor idle, whatever the machine; more would cost memory.
constexpr uint64_t kLeastParallel = 3;
constexpr uint64_t kMostAutomatic = 8;
constexpr uint64_t kMostParallel = 32;

struct NumberKey {
  absl::string_view name;
  uint64_t LayerSettings::*member;
  uint64_t min;
  uint64_t max;
};
constexpr NumberKey kNumbers[] = {
    {"parallel", &LayerSettings::parallel, 0, kMostParallel},
    {"max_bytes", &LayerSettings::max_bytes, 1, 16 * kTebibyte},
    {"max_entries", &LayerSettings::max_entries, 1, 100'000'000},
    {"max_ratio", &LayerSettings::max_ratio, 0, 1'000'000'000},
    {"max_depth", &LayerSettings::max_depth, 1, 256},
    {"max_xattr_bytes", &LayerSettings::max_xattr_bytes, 0, 1 << 20},
    {"max_cpu_seconds", &LayerSettings::max_cpu_seconds, 0, 1'000'000},
    {"max_seconds", &LayerSettings::max_seconds, 1, 1'000'000},
    {"max_image_bytes", &LayerSettings::max_image_bytes, 1, 16 * kTebibyte},
    {"max_image_entries", &LayerSettings::max_image_entries, 1, 1'000'000'000},
};

absl::Status ApplyDriver(const Value& value, std::string* driver) {
  std::string text;
  if (absl::Status status = value.Text(&text); !status.ok()) return status;
  if (text != "auto" && text != "dir" && text != "erofs") {
    return value.Error("must be \"auto\", \"dir\" or \"erofs\"");
  }
  *driver = text;
  return absl::OkStatus();
}

uint32_t Parallel(uint64_t asked) {
  if (asked > 0) return static_cast<uint32_t>(asked);
  const uint64_t processors = std::thread::hardware_concurrency();
  return static_cast<uint32_t>(std::clamp(processors, kLeastParallel, kMostAutomatic));
}

}  // namespace

absl::Status ApplyLayers(const Value& value, Settings* settings) {
  return value.EachEntry([settings](absl::string_view name, const Value& entry) {
    if (name == "driver") return ApplyDriver(entry, &settings->layers.driver);
    for (const NumberKey& key : kNumbers) {
      if (key.name == name) {
        return entry.Number(key.min, key.max, &(settings->layers.*key.member));
      }
    }
    return entry.Error("unknown key");
  });
}

void EncodeLayers(const LayerSettings& layers, bool images, schema::Layers::Builder out) {
  const bool image = layers.driver == "erofs" || (layers.driver == "auto" && images);
  out.setDriver(image ? schema::Layers::Driver::IMAGE : schema::Layers::Driver::DIRECTORY);
  out.setParallel(Parallel(layers.parallel));
  out.setMaxBytes(layers.max_bytes);
  out.setMaxEntries(layers.max_entries);
  out.setMaxRatio(static_cast<uint32_t>(layers.max_ratio));
  out.setMaxDepth(static_cast<uint32_t>(layers.max_depth));
  out.setMaxXattrBytes(layers.max_xattr_bytes);
  out.setMaxCpuSeconds(static_cast<uint32_t>(layers.max_cpu_seconds));
  out.setMaxSeconds(static_cast<uint32_t>(layers.max_seconds));
  out.setMaxImageBytes(layers.max_image_bytes);
  out.setMaxImageEntries(layers.max_image_entries);
}

}  // namespace bulkhead::tools
