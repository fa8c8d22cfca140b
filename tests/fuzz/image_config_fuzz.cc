// An image's configuration: whatever the bytes, what comes out is complete or refused, and fits the frame it travels in.
#include <capnp/message.h>

#include <cstdint>
#include <cstdlib>

#include "worker/parse/image_config.h"

namespace {

constexpr size_t kFrameBytes = 8 << 20;

void Require(bool good) {
  if (!good) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bulkhead;
  auto json = worker::ParseStrictJson({reinterpret_cast<const char*>(data), size});
  if (!json.ok()) return 0;
  for (const char* architecture : {"", "amd64"}) {
    capnp::MallocMessageBuilder message;
    auto config = message.initRoot<schema::ImageConfig>();
    if (!worker::ReadImageConfig(*json, {architecture, ""}, config).ok()) continue;
    Require(config.getDiffIds().size() <= worker::kMaxLayers);
    for (auto diff_id : config.asReader().getDiffIds()) Require(diff_id.getBytes().size() == 32);
    Require(config.getEnv().size() <= worker::kMaxConfigList);
    for (auto env : config.asReader().getEnv()) Require(env.getKey().size() > 0);
    Require(message.sizeInWords() * sizeof(capnp::word) <= kFrameBytes);
  }
  return 0;
}
