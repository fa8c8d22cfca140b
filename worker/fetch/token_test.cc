#include "worker/fetch/token.h"

#include <gtest/gtest.h>

namespace bulkhead::worker {
namespace {

TEST(Challenges, Forms) {
  std::vector<Challenge> got = ParseChallenges(
      R"(Bearer realm="https://auth.io/token",service="reg, \"x\"",scope="a:b:c,d")");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].scheme, "bearer");
  EXPECT_EQ(got[0].realm, "https://auth.io/token");
  EXPECT_EQ(got[0].service, R"(reg, "x")");
  EXPECT_EQ(ParseChallenges("bearer Realm=https://a/ , service=s")[0].realm, "https://a/");
  EXPECT_EQ(ParseChallenges(R"(Bearer service="s" , realm="https://a/")")[0].realm, "https://a/");
  EXPECT_EQ(ParseChallenges("Bearer ")[0].realm, "");
  EXPECT_EQ(ParseChallenges(R"(Bearer realm="https://a/)")[0].realm, "https://a/")
      << "an open quote ends it";
}

TEST(Challenges, SeveralInOneHeader) {
  std::vector<Challenge> got =
      ParseChallenges(R"(Negotiate a1b2==, Basic realm="x, Bearer y", Bearer realm="z",service=s)");
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[1].scheme, "basic");
  EXPECT_EQ(got[1].realm, "x, Bearer y");
  EXPECT_EQ(got[2].scheme, "bearer");
  EXPECT_EQ(got[2].realm, "z");
}

TEST(Challenges, Nonsense) {
  EXPECT_TRUE(ParseChallenges("").empty());
  EXPECT_TRUE(ParseChallenges(" , ,").empty());
  EXPECT_TRUE(ParseChallenges("=x").empty());
  EXPECT_TRUE(ParseChallenges("realm=x").empty()) << "of no scheme";
  EXPECT_TRUE(ParseChallenges("\"Bearer\" realm=x").empty());
  EXPECT_LE(ParseChallenges(std::string(8000, 'a') + " b c d e f g h i j k l m n o p q r s").size(),
            16u);
}

// "refused", or the service's URL with "!" where it may see credentials.
std::string Service(const std::string& realm, const FetchEndpoint& endpoint,
                    std::vector<std::string> token_hosts = {}) {
  FetchRequest request;
  request.token_hosts = std::move(token_hosts);
  absl::StatusOr<TokenService> service =
      FindTokenService({.scheme = "bearer", .realm = realm}, endpoint, request);
  if (service.ok()) return service->url + (service->trusted ? "!" : "");
  EXPECT_EQ(service.status().code(), absl::StatusCode::kPermissionDenied);
  return "refused";
}

TEST(TokenService, WhoMayAnswer) {
  FetchEndpoint tls = {"r.io"};
  FetchEndpoint plain = {"127.0.0.1:5000", true};
  EXPECT_EQ(Service("https://auth.io/t", tls), "https://auth.io/t");
  EXPECT_EQ(Service("https://r.io/t", tls), "https://r.io/t!");
  EXPECT_EQ(Service("http://127.0.0.1:7000/t", plain), "http://127.0.0.1:7000/t");
  EXPECT_EQ(Service("https://auth.io/t", plain), "https://auth.io/t");
  EXPECT_EQ(Service("http://auth.io/t", tls), "refused");
  EXPECT_EQ(Service("http://r.io/t", tls), "refused") << "no step down from https";
  EXPECT_EQ(Service("http://evil/t", plain), "refused");
  EXPECT_EQ(Service("file:///etc/passwd", plain), "refused");
  EXPECT_EQ(Service("https://auth.io/t#x", tls), "refused");
}

TEST(TokenService, WhoMaySeeCredentials) {
  FetchEndpoint tls = {"r.io"};
  FetchEndpoint plain = {"127.0.0.1:5000", true};
  EXPECT_EQ(Service("https://r.io:444/t", tls), "https://r.io:444/t") << "another port";
  EXPECT_EQ(Service("https://auth.io/t", tls, {"auth.io"}), "https://auth.io/t!");
  EXPECT_EQ(Service("https://auth.io:444/t", tls, {"auth.io"}), "https://auth.io:444/t");
  EXPECT_EQ(Service("http://auth.io/t", tls, {"auth.io:80", "auth.io"}), "refused");
  EXPECT_EQ(Service("http://127.0.0.1:7000/t", plain, {"127.0.0.1:7000"}),
            "http://127.0.0.1:7000/t!");
  EXPECT_EQ(Service("https://user@auth.io@evil/t", tls, {"auth.io"}), "refused");
  EXPECT_EQ(Service("https://auth.io@evil/t", tls, {"auth.io"}), "https://auth.io@evil/t");
  EXPECT_EQ(Service("https://auth.docker.io/token", {"docker.io"}),
            "https://auth.docker.io/token!");
  EXPECT_EQ(Service("https://auth.docker.io/token", {"registry-1.docker.io"}),
            "https://auth.docker.io/token!");
  EXPECT_EQ(Service("https://auth.docker.io/token", {"mirror.example"}),
            "https://auth.docker.io/token");
}

TEST(TokenQuery, Parts) {
  Challenge challenge = {.scheme = "bearer", .realm = "https://auth.io/t", .service = "s&v"};
  EXPECT_EQ(TokenQuery(challenge, {"r.io"}, "a/b"),
            "scope=repository%3Aa%2Fb%3Apull&service=s%26v");
  FetchEndpoint below = {"r.io"};
  below.path = "/v2/proxy";
  EXPECT_EQ(TokenQuery({}, below, "a"), "scope=repository%3Aproxy%2Fa%3Apull");
  EXPECT_EQ(RefreshForm("q=1", "a&b"),
            "grant_type=refresh_token&client_id=bulkhead&q=1&refresh_token=a%26b");
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
