#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <string>

// For tests: a key pair that signs as cosign does.
namespace bulkhead::security {

class SigningKey {
 public:
  static SigningKey P256() { return SigningKey(EVP_EC_gen("P-256")); }
  static SigningKey P384() { return SigningKey(EVP_EC_gen("P-384")); }
  static SigningKey Rsa(unsigned bits) { return SigningKey(EVP_RSA_gen(bits)); }
  static SigningKey Ed25519() { return SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

  std::string PublicPem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    EXPECT_EQ(PEM_write_bio_PUBKEY(bio, key_.get()), 1);
    char* text = nullptr;
    long size = BIO_get_mem_data(bio, &text);
    std::string out(text, size);
    BIO_free(bio);
    return out;
  }

  std::string Sign(const std::string& bytes) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    bool plain = EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519;
    EXPECT_EQ(
        EVP_DigestSignInit(context, nullptr, plain ? nullptr : EVP_sha256(), nullptr, key_.get()),
        1);
    std::string out(EVP_PKEY_get_size(key_.get()), '\0');
    size_t size = out.size();
    EXPECT_EQ(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size,
                             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()),
              1);
    EVP_MD_CTX_free(context);
    out.resize(size);
    return out;
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  explicit SigningKey(EVP_PKEY* key) : key_(key) { EXPECT_NE(key, nullptr); }
  std::unique_ptr<EVP_PKEY, Free> key_;
};

}  // namespace bulkhead::security
