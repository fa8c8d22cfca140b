#pragma once

#include <initializer_list>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_pkey_st;

// The few primitives of the log, all OpenSSL's. None reads a configuration file or loads a module.
namespace bulkhead::audit {

std::string Sha256(std::initializer_list<absl::string_view> parts);
std::string Hmac(absl::string_view key, absl::string_view message);
// The key of the next epoch. One cannot go back from it: entries of the past cannot be forged with
// what is on the node now.
std::string NextKey(absl::string_view key);
// Random bytes of the kernel's.
absl::StatusOr<std::string> RandomBytes(size_t count);

inline constexpr size_t kSignatureBytes = 64;

// Signs with Ed25519 (RFC 8032).
class Signer {
 public:
  // seed: 32 bytes.
  static absl::StatusOr<Signer> FromSeed(absl::string_view seed);
  std::string public_key() const { return public_key_; }  // 32 bytes
  absl::StatusOr<std::string> Sign(absl::string_view message) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  std::unique_ptr<evp_pkey_st, Free> key_;
  std::string public_key_;
};

bool SignatureIsRight(absl::string_view public_key, absl::string_view message,
                      absl::string_view signature);

}  // namespace bulkhead::audit
