#include "worker/fetch/token.h"

#include <gtest/gtest.h>

namespace bulkhead::worker {
namespace {

TEST(Challenge, Forms) {
  BearerChallenge got = *ParseBearerChallenge(
      R"(Bearer realm="https://auth.io/token",service="reg, \"x\"",scope="a:b:c,d")");
  EXPECT_EQ(got.realm, "https://auth.io/token");
  EXPECT_EQ(got.service, R"(reg, "x")");
  EXPECT_EQ(ParseBearerChallenge("bearer Realm=https://a/ , service=s")->realm, "https://a/ ");
  EXPECT_EQ(ParseBearerChallenge(R"(Bearer service="s" , realm="https://a/")")->realm,
            "https://a/");
  EXPECT_FALSE(ParseBearerChallenge(R"(Basic realm="x")").ok());
  EXPECT_FALSE(ParseBearerChallenge("Bearer ").ok());
  EXPECT_FALSE(ParseBearerChallenge(R"(Bearer realm="")").ok());
  EXPECT_TRUE(ParseBearerChallenge(R"(Bearer realm="https://a/)").ok()) << "an open quote ends it";
}

std::string Url(const std::string& realm, const FetchEndpoint& endpoint) {
  absl::StatusOr<std::string> url = TokenUrl({realm, "s&v"}, endpoint, "a/b");
  if (url.ok()) return *url;
  EXPECT_EQ(url.status().code(), absl::StatusCode::kPermissionDenied);
  return "refused";
}

TEST(TokenUrl, WhoMayAnswer) {
  FetchEndpoint tls = {"r.io"};
  FetchEndpoint plain = {"127.0.0.1:5000", true};
  EXPECT_EQ(Url("https://auth.io/t", tls),
            "https://auth.io/t?scope=repository%3Aa%2Fb%3Apull&service=s%26v");
  EXPECT_EQ(Url("https://auth.io/t?x=1", tls),
            "https://auth.io/t?x=1&scope=repository%3Aa%2Fb%3Apull&service=s%26v");
  EXPECT_NE(Url("http://127.0.0.1:7000/t", plain), "refused");
  EXPECT_NE(Url("https://auth.io/t", plain), "refused");
  EXPECT_EQ(Url("http://auth.io/t", tls), "refused");
  EXPECT_EQ(Url("http://r.io/t", tls), "refused") << "no step down from https";
  EXPECT_EQ(Url("http://evil/t", plain), "refused");
  EXPECT_EQ(Url("file:///etc/passwd", plain), "refused");
  EXPECT_EQ(Url("https://auth.io/t#x", tls), "refused");
}

TEST(Token, Documents) {
  EXPECT_EQ(*ParseToken(R"({"token":"abc.def","expires_in":300})"), "abc.def");
  EXPECT_EQ(*ParseToken(R"({"access_token":"x"})"), "x");
  for (const char* document : {"", "{}", "[]", R"({"token":7})", R"({"token":"a b"})",
                               R"({"token":"a\r\nX: y"})", R"({"token":""})"}) {
    EXPECT_FALSE(ParseToken(document).ok()) << document;
  }
}

}  // namespace
}  // namespace bulkhead::worker
