// An image reference as kubelet or a user writes it: what is taken obeys the grammar, has one form,
// and names nothing but a registry.
#include <capnp/message.h>

#include <cstdlib>
#include <string>

#include "validate/auth.h"
#include "validate/reference.h"

namespace {

using bulkhead::schema::ImageReference;
namespace validate = bulkhead::validate;

void Check(bool condition) {
  if (!condition) abort();
}

// The text that names the same, digest included.
std::string Whole(ImageReference::Reader reference) {
  std::string text = validate::FormatReference(reference);
  auto digest = reference.getDigest().getBytes();
  if (digest.size() == 0 || reference.getTag().size() == 0) return text;
  std::string bytes(reinterpret_cast<const char*>(digest.begin()), digest.size());
  std::string by_digest = validate::FormatDigestReference(reference, bytes);
  return text + by_digest.substr(by_digest.find('@'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  (void)validate::LooksLikeImageId(text);
  auto registry = validate::RegistryOfAddress("a", text);
  if (registry.ok() && !registry->empty()) Check(validate::IsRegistryName(*registry));
  capnp::MallocMessageBuilder message;
  auto reference = message.initRoot<ImageReference>();
  if (!validate::ParseReference("image", text, reference).ok()) return 0;
  Check(validate::CheckReference("image", reference.asReader()).ok());
  std::string whole = Whole(reference.asReader());
  for (unsigned char c : whole) Check(c > 0x20 && c < 0x7f);
  // A tag may hold two dots, but it holds no slash.
  const std::string repository = reference.getRepository().cStr();
  Check(repository.find("..") == std::string::npos && whole.find("//") == std::string::npos);
  capnp::MallocMessageBuilder other;
  auto again = other.initRoot<ImageReference>();
  Check(validate::ParseReference("image", whole, again).ok());
  Check(Whole(again.asReader()) == whole);
  return 0;
}
