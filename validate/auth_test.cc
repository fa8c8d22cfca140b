#include "validate/auth.h"

#include <capnp/message.h>
#include <capnp/schema.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "schema/audit.capnp.h"
#include "schema/config.capnp.h"
#include "schema/container.capnp.h"
#include "schema/image.capnp.h"
#include "schema/pod.capnp.h"

namespace bulkhead::validate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AuthTest : public testing::Test {
 protected:
  ~AuthTest() noexcept override {}  // the message builder may throw in its own
  AuthTest() : auth_(message_.initRoot<schema::RegistryAuth>()) {}
  void ExpectRefused(const char* field) {
    absl::Status status = CheckAuth("auth", auth_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("S3CRET")));
  }
  capnp::MallocMessageBuilder message_;
  schema::RegistryAuth::Builder auth_;
};

TEST_F(AuthTest, None) { EXPECT_TRUE(CheckAuth("auth", auth_).ok()); }

TEST_F(AuthTest, UsualOnes) {
  auth_.setUsername("<token>");
  auth_.setPassword("p:ä ss");
  auth_.setIdentityToken("a.b.c");
  auth_.setRegistryToken("a.b-c_d==");
  auth_.setServer("registry.example.com:5000");
  EXPECT_TRUE(CheckAuth("auth", auth_).ok());
}

TEST_F(AuthTest, WhatWouldBreakAHeader) {
  auth_.setPassword("S3CRET\r\nX-Evil: 1");
  ExpectRefused("auth.password");
  auth_.setPassword("");
  auth_.setUsername("a:S3CRET");
  ExpectRefused("auth.username");
  auth_.setUsername("");
  auth_.setRegistryToken("S3CRET b");
  ExpectRefused("auth.registry_token");
  auth_.setRegistryToken("");
  auth_.setIdentityToken("S3CRET\n");
  ExpectRefused("auth.identity_token");
  auth_.setIdentityToken(std::string(33 << 10, 'x'));
  ExpectRefused("auth.identity_token");
  auth_.setIdentityToken("");
  auth_.setServer("https://S3CRET@x/");
  ExpectRefused("auth.server_address");
}

// registries.capnp's annotation.
constexpr uint64_t kSecret = 0xb1a5c0de00000101;

bool IsSecret(capnp::StructSchema::Field field) {
  for (auto annotation : field.getProto().getAnnotations()) {
    if (annotation.getId() == kSecret) return true;
  }
  return false;
}

// Names of secret fields in a struct and in what it holds.
void FindSecrets(capnp::StructSchema schema, std::set<std::string>* found, int depth = 0) {
  if (depth == 8) return;
  for (auto field : schema.getFields()) {
    if (IsSecret(field)) found->insert(field.getProto().getName().cStr());
    capnp::Type type = field.getType();
    while (type.isList()) type = type.asList().getElementType();
    if (type.isStruct()) FindSecrets(type.asStruct(), found, depth + 1);
  }
}

std::set<std::string> SecretsOf(capnp::StructSchema schema) {
  std::set<std::string> found;
  FindSecrets(schema, &found);
  return found;
}

// V6: what the database, the configuration of all processes and the audit log hold has no field for
// a secret.
TEST(Secrets, AreMarkedAndHaveNoPlaceInRecords) {
  using ::testing::IsEmpty;
  using ::testing::UnorderedElementsAre;
  EXPECT_THAT(SecretsOf(capnp::Schema::from<schema::RegistryAuth>()),
              UnorderedElementsAre("password", "identityToken", "registryToken"));
  EXPECT_THAT(SecretsOf(capnp::Schema::from<schema::Pod>()), IsEmpty());
  EXPECT_THAT(SecretsOf(capnp::Schema::from<schema::Container>()), IsEmpty());
  EXPECT_THAT(SecretsOf(capnp::Schema::from<schema::Image>()), IsEmpty());
  EXPECT_THAT(SecretsOf(capnp::Schema::from<schema::Config>()), IsEmpty());
  EXPECT_THAT(SecretsOf(capnp::Schema::from<schema::AuditRecord>()), IsEmpty());
}

TEST(RegistryOfAddress, Forms) {
  auto registry = [](const char* address) {
    return RegistryOfAddress("auth.server_address", address).value_or("refused");
  };
  EXPECT_EQ(registry(""), "");
  EXPECT_EQ(registry("https://index.docker.io/v1/"), "docker.io");
  EXPECT_EQ(registry("Registry.example.com"), "registry.example.com");
  EXPECT_EQ(registry("http://a:5000/v2/"), "a:5000");
  EXPECT_EQ(registry("[::1]:5000"), "[::1]:5000");
  EXPECT_EQ(registry("https://user:pass@host/"), "refused");
  EXPECT_EQ(registry("ftp://host/"), "refused");
  EXPECT_EQ(registry("a b"), "refused");
  EXPECT_EQ(registry("/etc/passwd"), "refused");
}

}  // namespace
}  // namespace bulkhead::validate
