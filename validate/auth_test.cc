#include "validate/auth.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::validate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AuthTest : public testing::Test {
 protected:
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
