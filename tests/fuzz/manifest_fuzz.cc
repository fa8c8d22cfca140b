// A manifest, an index or a signature manifest, as a registry or an archive gives it: whatever the bytes, what comes out keeps
// the limits that the broker relies on.
#include <cstdint>
#include <cstdlib>

#include "worker/parse/image_manifest.h"
#include "worker/parse/signature_manifest.h"

namespace bulkhead::worker {
namespace {

void Require(bool good) {
  if (!good) abort();
}

void CheckDescriptor(const ContentDescriptor& descriptor) {
  Require(descriptor.digest.size() == 32);
  Require(descriptor.size > 0 && descriptor.size <= kMaxLayerBytes);
}

void ReadAsManifest(const Json& json) {
  auto manifest = ParseManifest(json);
  if (!manifest.ok()) return;
  CheckDescriptor(manifest->config);
  Require(manifest->config.media_type == MediaType::CONFIG);
  Require(manifest->layers.size() <= kMaxLayers);
  for (const ContentDescriptor& layer : manifest->layers) CheckDescriptor(layer);
}

void ReadAsIndex(const Json& json) {
  auto entries = ParseIndex(json);
  if (!entries.ok()) return;
  Require(entries->size() <= kMaxIndexEntries);
  for (const Platform& wanted : {Platform{"amd64", ""}, Platform{"arm64", "v8"}}) {
    auto chosen = ChoosePlatform(*entries, wanted);
    if (chosen.ok()) CheckDescriptor(chosen->descriptor);
  }
}

void ReadAsSignatures(const Json& json) {
  auto signatures = ParseSignatures(json);
  if (!signatures.ok()) return;
  Require(!signatures->empty() && signatures->size() <= kMaxManifestSignatures);
  for (const ManifestSignature& one : *signatures) {
    CheckDescriptor(one.payload);
    Require(!one.signature.empty() && one.signature.size() <= kMaxSignatureBytes);
  }
}

}  // namespace
}  // namespace bulkhead::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bulkhead::worker;
  auto json = ParseStrictJson({reinterpret_cast<const char*>(data), size});
  if (!json.ok()) return 0;
  auto index = ClassifyDocument(*json, MediaType::UNKNOWN);
  if (index.ok()) Require(*index == MediaType::INDEX || *index == MediaType::MANIFEST);
  ReadAsManifest(*json);
  ReadAsIndex(*json);
  ReadAsSignatures(*json);
  return 0;
}
