// Who sees a pull's credentials, and who does not.
#include "absl/strings/escaping.h"
#include "worker/fetch/fetch_fixture.h"

namespace bulkhead::worker {
namespace {

const Credentials kUser = {.username = "user", .password = "SECRET"};

std::string Basic(const Credentials& auth) {
  return "Basic " + absl::Base64Escape(auth.username + ":" + auth.password);
}

Response WantsBasic() {
  return {.status = 401, .headers = {"WWW-Authenticate: Basic realm=\"x\""}};
}

Response WantsToken(const std::string& realm) {
  return {
      .status = 401,
      .headers = {absl::StrCat("WWW-Authenticate: Bearer realm=\"", realm, "\",service=\"s\"")}};
}

Response Redirect(const std::string& to) {
  return {.status = 307, .headers = {absl::StrCat("Location: ", to)}};
}

// A server on which nothing may be seen of the credentials.
class Bystander {
 public:
  explicit Bystander(TestServer::Handler handler) : server_(std::move(handler)) {}
  ~Bystander() {
    for (const Request& request : server_.requests()) {
      EXPECT_EQ(request.header("authorization"), "") << request.target;
      EXPECT_EQ(request.header("cookie"), "");
      EXPECT_EQ(request.header("x-api-key"), "");
      EXPECT_FALSE(absl::StrContains(request.target, "SECRET"));
      EXPECT_FALSE(absl::StrContains(request.body, "SECRET"));
    }
  }
  TestServer& operator*() { return server_; }
  TestServer* operator->() { return &server_; }

 private:
  TestServer server_;
};

class CredentialsTest : public FetchTest {};

TEST_F(CredentialsTest, BasicIsSentWhenAskedFor) {
  TestServer server([](const Request& request) -> Response {
    if (request.header("authorization") != Basic(kUser)) return WantsBasic();
    return {.body = "blob"};
  });
  With(server, kUser);
  for (char fill : std::string("abcdef")) WantBlob(fill);
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(server.requests()[0].header("authorization"), "");
  EXPECT_EQ(server.requests().size(), 7u) << "one request alone learns that it is wanted";
}

TEST_F(CredentialsTest, WrongPasswordIsNotTriedForEver) {
  TestServer server([](const Request&) -> Response { return WantsBasic(); });
  With(server, kUser);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(server.requests().size(), 2u);
  request_.auth = {};
  ExpectFailure(absl::StatusCode::kUnauthenticated);
}

TEST_F(CredentialsTest, TokenForUserAndPassword) {
  TestServer server([](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) {
      if (request.header("authorization") != Basic(kUser)) return {.status = 401};
      return {.body = R"({"token":"T0KEN"})"};
    }
    if (request.header("authorization") != "Bearer T0KEN") {
      return WantsToken(absl::StrCat("http://", request.header("host"), "/token?x=1"));
    }
    return {.body = "blob"};
  });
  With(server, kUser);
  WantBlob('a');
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request_);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(server.requests()[1].target,
            "/token?x=1&scope=repository%3Ateam%2Fapp%3Apull&service=s");
  request_.auth.password = "wrong SECRET";
  ExpectFailure(absl::StatusCode::kUnauthenticated);
}

TEST_F(CredentialsTest, IdentityTokenIsExchanged) {
  TestServer server([](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) {
      EXPECT_EQ(request.method, "POST");
      EXPECT_EQ(request.target, "/token");
      EXPECT_EQ(request.body,
                "grant_type=refresh_token&client_id=bulkhead&scope=repository%3Ateam%2Fapp%3Apull"
                "&service=s&refresh_token=ID%2BSECRET");
      return {.body = R"({"access_token":"T0KEN"})"};
    }
    if (request.header("authorization") != "Bearer T0KEN") {
      return WantsToken(absl::StrCat("http://", request.header("host"), "/token"));
    }
    return {.body = "blob"};
  });
  With(server, {.identity_token = "ID+SECRET"});
  WantBlob('a');
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request_);
  EXPECT_TRUE(got.ok()) << got.status();
}

TEST_F(CredentialsTest, RegistryTokenIsSentAtOnce) {
  TestServer server([](const Request& request) -> Response {
    if (request.header("authorization") != "Bearer TSECRET") return WantsBasic();
    return {.body = "blob"};
  });
  With(server, {.registry_token = "TSECRET"});
  WantBlob('a');
  EXPECT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(server.requests().size(), 1u);
  request_.auth.registry_token = "other-SECRET";
  ExpectFailure(absl::StatusCode::kUnauthenticated);
}

TEST_F(CredentialsTest, ExpiredTokenIsRenewedOnce) {
  std::atomic<int> tokens = 0;
  TestServer server([&](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) {
      return {.body = absl::StrCat(R"({"token":"T)", ++tokens, "\"}")};
    }
    if (request.header("authorization") == "Bearer T1" &&
        absl::StrContains(request.target, BlobDigest('a'))) {
      return {.body = "blob"};
    }
    if (request.header("authorization") == "Bearer T2") return {.body = "blob"};
    return WantsToken(absl::StrCat("http://", request.header("host"), "/token"));
  });
  From(server);
  WantBlob('a');
  WantBlob('b');
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(tokens, 2);
}

TEST_F(CredentialsTest, TokenOfAnEarlierFetch) {
  TestServer server([](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) return {.body = R"({"token":"T0KEN"})"};
    if (request.header("authorization") == "Bearer T0KEN") return {.body = "blob"};
    return WantsToken(absl::StrCat("http://", request.header("host"), "/token"));
  });
  From(server);
  WantBlob('a');
  RegistryToken token;
  ASSERT_TRUE(Fetch(request_, &token).ok());
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(token.host, server.host());
  request_.token = token;
  ASSERT_TRUE(Fetch(request_, &token).ok());
  EXPECT_EQ(server.requests().size(), 4u);
  request_.token.host = "elsewhere.io";
  ASSERT_TRUE(Fetch(request_, &token).ok());
  EXPECT_EQ(server.requests().size(), 7u) << "not for this endpoint";
}

TEST_F(CredentialsTest, BusyTokenServiceIsAskedAgain) {
  std::atomic<int> tokens = 0;
  TestServer server([&](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) {
      if (++tokens == 1) return {.status = 503};
      return {.body = R"({"token":"T0KEN"})"};
    }
    if (request.header("authorization") != "Bearer T0KEN") {
      return WantsToken(absl::StrCat("http://", request.header("host"), "/token"));
    }
    return {.body = "blob"};
  });
  From(server);
  WantBlob('a');
  EXPECT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(tokens, 2);
}

TEST_F(CredentialsTest, HeadersOfTheConfigurationStayAtTheEndpoint) {
  Bystander storage([](const Request&) -> Response { return {.body = "blob"}; });
  TestServer server([&](const Request& request) -> Response {
    EXPECT_EQ(request.header("x-api-key"), "SECRET");
    return Redirect(absl::StrCat("http://", storage->host(), "/x"));
  });
  From(server);
  request_.endpoints[0].headers = {"X-Api-Key: SECRET"};
  WantBlob('a');
  EXPECT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(storage->requests().size(), 1u);
}

// A mirror gets the registry's credentials where root says so, or where they are the mirror's own.
TEST_F(CredentialsTest, Mirrors) {
  TestServer mirror([](const Request& request) -> Response {
    if (request.header("authorization") != Basic(kUser)) return WantsBasic();
    return {.body = "blob"};
  });
  From(mirror);
  request_.auth = kUser;
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnauthenticated);
  request_.endpoints[0].credentials = true;
  EXPECT_TRUE(Fetch(request_).ok());
  request_.auth.server = "other.io";
  ExpectFailure(absl::StatusCode::kUnauthenticated);
  request_.endpoints[0].credentials = false;
  request_.auth.server = mirror.host();
  EXPECT_TRUE(Fetch(request_).ok());
}

// Credential leak by redirect, foreign URL, realm.
class V1 : public FetchTest {};

TEST_F(V1, RedirectToAnotherHostThatAsksForThem) {
  Bystander other([](const Request&) -> Response { return WantsBasic(); });
  TestServer server([&](const Request& request) -> Response {
    if (request.header("authorization").empty()) return WantsBasic();
    return Redirect(absl::StrCat("http://localhost:", other->port(), "/x"));
  });
  With(server, kUser);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kPermissionDenied);  // localhost is this node
}

TEST_F(V1, RedirectToAnotherPortThatAsksForThem) {
  for (bool basic : {true, false}) {
    Bystander other([&](const Request& request) -> Response {
      return basic ? WantsBasic() : WantsToken("http://" + request.header("host") + "/token");
    });
    TestServer server([&](const Request& request) -> Response {
      if (request.header("authorization").empty()) return WantsBasic();
      return Redirect(absl::StrCat("http://", other->host(), "/x"));
    });
    request_.endpoints.clear();
    request_.items.clear();
    With(server, kUser);
    WantBlob('a');
    ExpectFailure(absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(other->requests().size(), 1u);
  }
}

TEST_F(V1, RedirectOnTheSameHostKeepsThem) {
  TestServer server([&](const Request& request) -> Response {
    if (request.header("authorization") != Basic(kUser)) return WantsBasic();
    if (request.target == "/moved") return {.body = "blob"};
    return Redirect("/moved");
  });
  With(server, kUser);
  WantBlob('a');
  EXPECT_TRUE(Fetch(request_).ok());
}

TEST_F(V1, TokenStaysWithTheRegistry) {
  Bystander storage([](const Request&) -> Response { return {.body = "blob"}; });
  TestServer server([&](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) return {.body = R"({"token":"T0KEN"})"};
    if (request.header("authorization").empty()) {
      return WantsToken("http://" + request.header("host") + "/token");
    }
    return Redirect(absl::StrCat("http://", storage->host(), "/x?sig=1"));
  });
  With(server, kUser);
  WantBlob('a');
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(Text(0), "blob");
  EXPECT_EQ(server.requests().back().header("authorization"), "Bearer T0KEN");
}

TEST_F(V1, RealmOnAnotherPort) {
  Bystander other([](const Request&) -> Response { return {.body = R"({"token":"x"})"}; });
  TestServer server([&](const Request&) -> Response {
    return WantsToken(absl::StrCat("http://", other->host(), "/token"));
  });
  With(server, kUser);
  WantBlob('a');
  std::string message = ExpectFailure(absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::StrContains(message, "token_hosts")) << message;
  EXPECT_TRUE(other->requests().empty());
}

TEST_F(V1, RealmThatRootListed) {
  TestServer other([](const Request& request) -> Response {
    if (request.header("authorization") != Basic(kUser)) return {.status = 401};
    return {.body = R"({"token":"T0KEN"})"};
  });
  TestServer server([&](const Request& request) -> Response {
    if (request.header("authorization") == "Bearer T0KEN") return {.body = "blob"};
    return WantsToken(absl::StrCat("http://", other.host(), "/token"));
  });
  With(server, kUser);
  request_.token_hosts = {other.host()};
  WantBlob('a');
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request_);
  EXPECT_TRUE(got.ok()) << got.status();
}

TEST_F(V1, RealmOnAnotherHostWithoutTls) {
  Bystander other([](const Request&) -> Response { return {.body = R"({"token":"x"})"}; });
  TestServer server([&](const Request&) -> Response {
    return WantsToken(absl::StrCat("http://localhost:", other->port(), "/token"));
  });
  for (const Credentials& auth : {Credentials{}, kUser}) {
    request_.endpoints.clear();
    request_.items.clear();
    With(server, auth);
    WantBlob('a');
    ExpectFailure(absl::StatusCode::kPermissionDenied);
  }
  EXPECT_TRUE(other->requests().empty());
}

TEST_F(V1, TokenServiceThatRedirects) {
  Bystander other([](const Request&) -> Response { return {.body = R"({"token":"x"})"}; });
  TestServer server([&](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) {
      return Redirect(absl::StrCat("http://", other->host(), "/token"));
    }
    return WantsToken("http://" + request.header("host") + "/token");
  });
  With(server, kUser);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_TRUE(other->requests().empty());
}

TEST_F(V1, NextEndpointIsAnother) {
  Bystander mirror([](const Request&) -> Response { return WantsBasic(); });
  TestServer server([](const Request& request) -> Response {
    if (request.header("authorization") != Basic(kUser)) return WantsBasic();
    return {.body = "blob"};
  });
  From(*mirror);
  With(server, kUser);
  WantBlob('a');
  EXPECT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(mirror->requests().size(), 1u);
}

TEST_F(V1, CredentialsOfAnotherRegistry) {
  Bystander server([](const Request&) -> Response { return WantsBasic(); });
  With(*server, {.username = "user", .password = "SECRET", .server = "other.io"});
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnauthenticated);
}

TEST_F(V1, ProxyTakesNoHeaderOfTheRegistrys) {
  TestServer proxy([](const Request& request) -> Response {
    EXPECT_EQ(request.method, "CONNECT");
    EXPECT_EQ(request.header("authorization"), "");
    EXPECT_EQ(request.header("x-api-key"), "");
    EXPECT_EQ(request.header("proxy-authorization"), "Basic cHVzZXI6cHBhc3M=");
    return {.status = 502};
  });
  request_.endpoints = {{"registry.invalid"}};
  request_.endpoints[0].headers = {"X-Api-Key: SECRET"};
  request_.registry = "registry.invalid";
  request_.auth = {.registry_token = "SECRET"};
  request_.proxy = {.https = absl::StrCat("http://puser:ppass@", proxy.host())};
  WantBlob('a');
  std::string message = ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_FALSE(absl::StrContains(message, "ppass")) << message;
  EXPECT_FALSE(proxy.requests().empty());
}

}  // namespace
}  // namespace bulkhead::worker
