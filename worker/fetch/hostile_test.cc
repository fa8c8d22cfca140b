// What a wicked registry may try on the process that speaks with it.
#include <malloc.h>

#include "worker/fetch/fetch_fixture.h"

namespace bulkhead::worker {
namespace {

// Digest and size lies: what is wanted has one form, and a size.
class V3 : public FetchTest {};

TEST_F(V3, OneByteTooMany) {
  TestServer server([](const Request&) -> Response { return {.body = std::string(11, 'x')}; });
  From(server);
  WantBlob('a', 10);
  ExpectFailure(absl::StatusCode::kResourceExhausted);
}

TEST_F(V3, OnlyDigestsOfOneForm) {
  TestServer server([](const Request&) -> Response { return {}; });
  From(server);
  WantBlob('a');
  for (std::string digest : {std::string("sha256:../../x"), "sha256:" + std::string(64, 'A'),
                             "sha512:" + std::string(128, 'a'), "sha256:" + std::string(63, 'a'),
                             "sha256:" + std::string(64, 'a') + "/../x", std::string("")}) {
    request_.items[0].reference = digest;
    ExpectFailure(absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(server.requests().empty());
}

// Huge or endless answers.
class V4 : public FetchTest {
 protected:
  static size_t HeapInUse() { return mallinfo2().uordblks + mallinfo2().hblkhd; }
};

TEST_F(V4, EndlessHeaders) {
  for (std::string raw :
       {std::string("X-Header: y\r\n"), std::string("X: ") + std::string(900, 'y') + "\r\n"}) {
    std::string start = "HTTP/1.1 200 OK\r\n";
    TestServer server([&](const Request&) -> Response {
      return {.raw = start + raw + raw + raw, .raw_for_ever = true};
    });
    request_.endpoints.clear();
    request_.items.clear();
    From(server);
    WantBlob('a');
    size_t before = HeapInUse();
    EXPECT_FALSE(Fetch(request_).ok());
    EXPECT_LT(HeapInUse(), before + (8 << 20));
  }
}

TEST_F(V4, EndlessHeaderLine) {
  TestServer server([](const Request&) -> Response {
    return {.raw = "HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'y'), .raw_for_ever = true};
  });
  From(server);
  WantBlob('a');
  EXPECT_FALSE(Fetch(request_).ok());
}

TEST_F(V4, EndlessInterimAnswers) {
  TestServer server([](const Request&) -> Response {
    return {.raw = "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", .raw_for_ever = true};
  });
  From(server);
  WantBlob('a');
  request_.deadline = base::Deadline::After(absl::Seconds(20));
  ExpectFailure(absl::StatusCode::kResourceExhausted);
}

TEST_F(V4, EndlessErrorPage) {
  TestServer server([](const Request&) -> Response {
    return {.raw = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n" + std::string(60000, 'x'),
            .raw_for_ever = true};
  });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kNotFound);
}

TEST_F(V4, EndlessToken) {
  TestServer server([](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) {
      return {.raw = "HTTP/1.1 200 OK\r\n\r\n" + std::string(60000, ' '), .raw_for_ever = true};
    }
    return {.status = 401,
            .headers = {absl::StrCat("WWW-Authenticate: Bearer realm=\"http://",
                                     request.header("host"), "/token\"")}};
  });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kResourceExhausted);
}

TEST_F(V4, EndlessChallenges) {
  std::string header = "WWW-Authenticate: " + std::string(60000, ',');
  TestServer server([&](const Request&) -> Response {
    return {.status = 401, .headers = {header, header}};
  });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnauthenticated);
}

TEST_F(V4, CompressedManifestStaysAsItIs) {
  std::string bomb = "\x1f\x8b pretends to be gzip";
  TestServer server([&](const Request&) -> Response {
    return {.headers = {"Content-Encoding: gzip"}, .body = bomb};
  });
  From(server);
  WantManifest();
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(Text(0), bomb) << "nothing is inflated here";
}

TEST_F(V4, SlowDrip) {
  TestServer server([](const Request&) -> Response {
    return {.body = std::string(1000, 'x'), .piece = 1, .pause = absl::Milliseconds(50)};
  });
  From(server);
  WantBlob('a');
  request_.rate = {.bytes_per_second = 1000, .window = absl::Seconds(1)};
  absl::Time begin = absl::Now();
  std::string message = ExpectFailure(absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(absl::StrContains(message, "fewer than 1000 bytes a second")) << message;
  EXPECT_LT(absl::Now() - begin, absl::Seconds(15));
}

TEST_F(V4, BurstsWithLongSilence) {
  TestServer server([](const Request&) -> Response {
    return {.body = std::string(1000, 'x'), .piece = 200, .pause = absl::Milliseconds(900)};
  });
  From(server);
  WantBlob('a');
  request_.rate = {.bytes_per_second = 1000, .window = absl::Seconds(1)};
  ExpectFailure(absl::StatusCode::kDeadlineExceeded);
}

TEST_F(V4, FastEnoughInTheEnd) {
  TestServer server([](const Request&) -> Response {
    return {.body = std::string(1000, 'x'), .piece = 100, .pause = absl::Milliseconds(200)};
  });
  From(server);
  WantBlob('a');
  request_.rate = {.bytes_per_second = 100, .window = absl::Seconds(1)};
  EXPECT_TRUE(Fetch(request_).ok());
}

TEST_F(V4, HeadersThatDrip) {
  TestServer server(
      [](const Request&) -> Response { return {.body = "x", .delay = absl::Seconds(20)}; });
  From(server);
  WantBlob('a');
  request_.rate = {.bytes_per_second = 1, .window = absl::Seconds(1)};
  absl::Time begin = absl::Now();
  ExpectFailure(absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(15));
}

// A redirect leads to somewhere that only this node can reach.
class V5 : public FetchTest {};

TEST_F(V5, ForbiddenRedirects) {
  TestServer victim([](const Request&) -> Response { return {.body = "internal"}; });
  std::string location;
  TestServer server([&](const Request&) -> Response {
    return {.status = 302, .headers = {absl::StrCat("Location: ", location)}};
  });
  From(server);
  WantBlob('a');
  for (std::string to : {std::string("file:///etc/shadow"), std::string("unix:///run/x.sock"),
                         absl::StrCat("http://localhost:", victim.port(), "/x"),
                         absl::StrCat("http://[::ffff:127.0.0.1]:", victim.port(), "/x"),
                         absl::StrCat("http://[::1]:", victim.port(), "/x"),
                         absl::StrCat("http://0.0.0.0:", victim.port(), "/x"),
                         absl::StrCat("http://2130706434:", victim.port(), "/x"),
                         absl::StrCat("http://127.1.1:", victim.port(), "/x"),
                         std::string("http://169.254.169.254/latest/meta-data?SECRET")}) {
    location = to;
    ExpectFailure(absl::StatusCode::kPermissionDenied);
  }
  EXPECT_TRUE(victim.requests().empty());
}

TEST_F(V5, PrivateAddressesWhereRootForbidsThem) {
  TestServer server([&](const Request&) -> Response {
    return {.status = 302, .headers = {"Location: http://10.0.0.1/x"}};
  });
  From(server);
  WantBlob('a');
  request_.private_redirects = false;
  ExpectFailure(absl::StatusCode::kPermissionDenied);
}

TEST_F(V5, ForbiddenBehindAProxyToo) {
  std::string location;
  TestServer proxy([&](const Request& request) -> Response {
    EXPECT_TRUE(absl::StartsWith(request.target, "http://registry.invalid/")) << request.target;
    return {.status = 302, .headers = {absl::StrCat("Location: ", location)}};
  });
  request_.endpoints = {{"registry.invalid", true}};
  request_.proxy = {.http = absl::StrCat("http://", proxy.host())};
  WantBlob('a');
  for (const char* to : {"http://169.254.169.254/x", "http://[fe80::1%25lo]/x"}) {
    location = to;
    ExpectFailure(absl::StatusCode::kPermissionDenied);
  }
  request_.private_redirects = false;
  location = "http://192.168.1.1/x";
  ExpectFailure(absl::StatusCode::kPermissionDenied);
}

TEST_F(V5, EndlessRedirects) {
  TestServer server(
      [](const Request&) -> Response { return {.status = 302, .headers = {"Location: /again"}}; });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_LE(server.requests().size(), 8u);
}

TEST_F(V5, HostsThatAreNone) {
  TestServer server([](const Request&) -> Response { return {}; });
  WantBlob('a');
  for (const char* host : {"user:SECRET@host", "a/b", "a?b", "a#b", "", "unix:///run/x.sock"}) {
    request_.endpoints = {{host, true}};
    ExpectFailure(absl::StatusCode::kInvalidArgument);
  }
}

// Secrets in messages.
class V6 : public FetchTest {};

TEST_F(V6, NothingOfAnUrlOrBodyIsRepeated) {
  for (int status : {400, 403, 404, 418, 500, 503}) {
    TestServer server([&](const Request& request) -> Response {
      if (absl::StrContains(request.target, "sig=")) {
        return {.status = status, .headers = {"X: SECRET", "Retry-After: 999"}, .body = "SECRET"};
      }
      return {.status = 307, .headers = {"Location: /x?sig=SECRET"}};
    });
    request_.endpoints.clear();
    request_.items.clear();
    From(server);
    WantBlob('a');
    absl::Status failed = Fetch(request_).status();
    EXPECT_FALSE(failed.ok());
    EXPECT_EQ(failed.message(), absl::StrCat(server.host(), ": HTTP ", status));
  }
}

TEST_F(V6, UserInARedirect) {
  TestServer server([&](const Request&) -> Response {
    return {.status = 302, .headers = {"Location: http://u:SECRET@127.0.0.2:1/x?SECRET"}};
  });
  From(server);
  WantBlob('a');
  EXPECT_FALSE(absl::StrContains(Fetch(request_).status().message(), "SECRET"));
}

}  // namespace
}  // namespace bulkhead::worker
