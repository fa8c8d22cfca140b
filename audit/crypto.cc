#include "audit/crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <cerrno>

#include "base/status.h"

namespace bulkhead::audit {
namespace {

constexpr size_t kDigestBytes = 32;
constexpr char kNextKey[] = "bulkhead audit next epoch\n";

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

}  // namespace

std::string Sha256(std::initializer_list<absl::string_view> parts) {
  std::string digest(kDigestBytes, '\0');
  Context context(EVP_MD_CTX_new());
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  for (absl::string_view part : parts) EVP_DigestUpdate(context.get(), part.data(), part.size());
  EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  return digest;
}

std::string Hmac(absl::string_view key, absl::string_view message) {
  std::string mac(kDigestBytes, '\0');
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(message), message.size(),
       reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  return mac;
}

std::string NextKey(absl::string_view key) { return Hmac(key, kNextKey); }

absl::StatusOr<std::string> RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  if (getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) {
    return base::ErrnoStatus("getrandom");
  }
  return bytes;
}

void Signer::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

absl::StatusOr<Signer> Signer::FromSeed(absl::string_view seed) {
  Signer signer;
  signer.key_.reset(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()));
  if (signer.key_ == nullptr) return absl::InvalidArgumentError("signing key: not one of Ed25519");
  size_t size = kDigestBytes;
  signer.public_key_.resize(size);
  EVP_PKEY_get_raw_public_key(signer.key_.get(),
                              reinterpret_cast<unsigned char*>(signer.public_key_.data()), &size);
  return signer;
}

absl::StatusOr<std::string> Signer::Sign(absl::string_view message) const {
  Context context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Bytes(message), message.size()) != 1) {
    return absl::InternalError("sign: failed");
  }
  return signature;
}

bool SignatureIsRight(absl::string_view public_key, absl::string_view message,
                      absl::string_view signature) {
  std::unique_ptr<EVP_PKEY, FreeKey> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(public_key), public_key.size()));
  if (key == nullptr || signature.size() != kSignatureBytes) return false;
  Context context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message),
                          message.size()) == 1;
}

}  // namespace bulkhead::audit
