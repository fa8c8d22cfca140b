// The document that an image's signature signs, and a public key: nothing but what is well-formed comes through.
#include <cstdint>
#include <cstdlib>

#include "security/policy/public_key.h"
#include "worker/verify/payload.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bulkhead;
  absl::string_view text(reinterpret_cast<const char*>(data), size);
  auto said = worker::ParsePayload(text);
  if (said.ok() && (said->digest.size() != 32 || said->repository.find('/') == std::string::npos)) {
    abort();
  }
  auto key = security::PublicKey::Parse(text);
  if (key.ok() && key->Verifies("bytes", text.substr(0, 64))) abort();
  return 0;
}
