#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_pkey_st;

namespace bulkhead::security {

inline constexpr size_t kMaxPublicKeyBytes = 16 << 10;

// A public key of a kind that signs images: ECDSA on P-256, Ed25519, or RSA of 2048 to 8192 bits.
class PublicKey {
 public:
  // One PEM block "PUBLIC KEY". INVALID_ARGUMENT for anything else. Reads no file and loads no
  // module.
  static absl::StatusOr<PublicKey> Parse(absl::string_view pem);

  // Whether signature is this key's over exactly these bytes: ECDSA (DER) and RSA (PKCS #1 1.5)
  // over SHA-256, Ed25519 over the bytes themselves.
  bool Verifies(absl::string_view bytes, absl::string_view signature) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit PublicKey(evp_pkey_st* key) : key_(key) {}
  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace bulkhead::security
