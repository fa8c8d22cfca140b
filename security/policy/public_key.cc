#include "security/policy/public_key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace bulkhead::security {
namespace {

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;  // a larger one costs the verifier without end
constexpr absl::string_view kBegin = "-----BEGIN PUBLIC KEY-----";

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool IsP256(EVP_PKEY* key) {
  char group[64] = {};
  size_t size = 0;
  return EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
         absl::string_view(group, size) == "prime256v1";
}

absl::Status CheckKind(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519:
      return absl::OkStatus();
    case EVP_PKEY_EC:
      if (IsP256(key)) return absl::OkStatus();
      return absl::InvalidArgumentError("public key: an ECDSA key must be on P-256");
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key) >= kMinRsaBits && EVP_PKEY_get_bits(key) <= kMaxRsaBits) {
        return absl::OkStatus();
      }
      return absl::InvalidArgumentError("public key: an RSA key must have 2048 to 8192 bits");
  }
  return absl::InvalidArgumentError("public key: must be ECDSA P-256, Ed25519 or RSA");
}

}  // namespace

void PublicKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

absl::StatusOr<PublicKey> PublicKey::Parse(absl::string_view pem) {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  pem = absl::StripLeadingAsciiWhitespace(pem);
  if (pem.size() > kMaxPublicKeyBytes || !absl::StartsWith(pem, kBegin) ||
      absl::StrContains(pem.substr(1), "-----BEGIN")) {
    return absl::InvalidArgumentError("public key: must be one PEM block 'PUBLIC KEY'");
  }
  std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  EVP_PKEY* key = bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr;
  ERR_clear_error();
  if (key == nullptr) return absl::InvalidArgumentError("public key: the PEM block is damaged");
  PublicKey out(key);
  if (absl::Status kind = CheckKind(key); !kind.ok()) return kind;
  return out;
}

bool PublicKey::Verifies(absl::string_view bytes, absl::string_view signature) const {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free);
  const EVP_MD* digest =
      EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
  // Exactly 1: errors are negative, and none of them may count as a success.
  bool good = context &&
              EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
              EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(bytes),
                               bytes.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace bulkhead::security
