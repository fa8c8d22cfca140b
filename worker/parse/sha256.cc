#include "worker/parse/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstdlib>

namespace bulkhead::worker {
namespace {

// A hash that cannot be computed must never look like one that was: there is nothing to go on with.
void Require(bool ok) {
  if (!ok) abort();
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() {
  Require(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1);
  context_.reset(EVP_MD_CTX_new());
  Require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::Update(absl::string_view bytes) {
  Require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::Finish() {
  std::string out(kSha256Bytes, '\0');
  unsigned size = 0;
  Require(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), &size) ==
          1);
  Require(size == kSha256Bytes);
  return out;
}

}  // namespace bulkhead::worker
