#include "security/policy/public_key.h"

#include <gtest/gtest.h>

#include "security/policy/test_signing_key.h"

namespace bulkhead::security {
namespace {

void ExpectWorks(const SigningKey& key) {
  auto parsed = PublicKey::Parse(key.PublicPem());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  std::string text = "what is signed", signature = key.Sign(text);
  EXPECT_TRUE(parsed->Verifies(text, signature));
  EXPECT_FALSE(parsed->Verifies("what is signee", signature));
  EXPECT_FALSE(parsed->Verifies(text, ""));
  EXPECT_FALSE(parsed->Verifies(text, signature.substr(1)));
  EXPECT_FALSE(parsed->Verifies(text, std::string(signature.size(), '\0')));
  for (size_t i = 0; i < signature.size(); ++i) {
    std::string other = signature;
    other[i] ^= 1;
    EXPECT_FALSE(parsed->Verifies(text, other)) << "bit of byte " << i;
  }
}

TEST(PublicKey, P256) { ExpectWorks(SigningKey::P256()); }
TEST(PublicKey, Ed25519) { ExpectWorks(SigningKey::Ed25519()); }
TEST(PublicKey, Rsa) { ExpectWorks(SigningKey::Rsa(2048)); }

TEST(PublicKey, AnotherKeysSignatureIsNone) {
  SigningKey one = SigningKey::P256(), two = SigningKey::P256();
  EXPECT_FALSE(PublicKey::Parse(one.PublicPem())->Verifies("x", two.Sign("x")));
}

TEST(PublicKey, RefusesWeakAndOtherKeys) {
  EXPECT_FALSE(PublicKey::Parse(SigningKey::P384().PublicPem()).ok());
  EXPECT_FALSE(PublicKey::Parse(SigningKey::Rsa(1024).PublicPem()).ok());
}

TEST(PublicKey, RefusesWhatIsNoKey) {
  std::string pem = SigningKey::P256().PublicPem();
  for (const std::string& bad :
       {std::string(), std::string("nonsense"), pem + pem, pem.substr(0, pem.size() / 2),
        "-----BEGIN PRIVATE KEY-----\n" + pem, std::string(20000, 'a')}) {
    EXPECT_FALSE(PublicKey::Parse(bad).ok()) << bad;
  }
  std::string damaged = pem;
  damaged[40] = damaged[40] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(PublicKey::Parse(damaged).ok());
}

}  // namespace
}  // namespace bulkhead::security
