#include "worker/fetch/fetch.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fs.h"
#include "base/unique_fd.h"
#include "worker/fetch/test_server.h"

namespace bulkhead::worker {
namespace {

using Request = TestServer::Request;
using Response = TestServer::Response;

constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";

std::string BlobDigest(char fill) { return "sha256:" + std::string(64, fill); }

bool IsGreeting(const Request& request) { return request.target == "/v2/"; }

class FetchTest : public testing::Test {
 protected:
  FetchTest() {
    request_.registry = "example.io";
    request_.repository = "team/app";
    request_.deadline = base::Deadline::After(absl::Seconds(30));
  }

  void From(const TestServer& server) { request_.endpoints.push_back({server.host(), true}); }

  void Want(FetchItem item) {
    files_.emplace_back(memfd_create("item", MFD_CLOEXEC));
    item.fd = files_.back().get();
    request_.items.push_back(item);
  }
  void WantManifest(uint64_t max = 1000) { Want({true, "latest", max}); }
  void WantBlob(char fill, uint64_t max = 1000) { Want({false, BlobDigest(fill), max}); }

  std::string Text(size_t item) {
    off_t size = lseek(files_[item].get(), 0, SEEK_END);
    return *base::ReadAt(files_[item].get(), 0, size);
  }

  // Returns the message.
  std::string ExpectFailure(absl::StatusCode code) {
    absl::Status status = Fetch(request_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "SECRET")) << status;
    return std::string(status.message());
  }

  FetchRequest request_;
  std::vector<base::UniqueFd> files_;
};

TEST_F(FetchTest, ManifestAndBlobs) {
  TestServer server([](const Request& request) -> Response {
    if (absl::StrContains(request.target, "/manifests/")) {
      return {.headers = {absl::StrCat("Content-Type: ", kManifestType, "; charset=utf-8")},
              .body = "manifest"};
    }
    return {.body = absl::StrCat("blob of ", request.target)};
  });
  From(server);
  WantManifest();
  WantBlob('a');
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request_);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].bytes, 8u);
  EXPECT_EQ((*got)[0].media_type, MediaType::MANIFEST);
  EXPECT_EQ(Text(0), "manifest");
  EXPECT_EQ(Text(1), absl::StrCat("blob of /v2/team/app/blobs/", BlobDigest('a'),
                                  "?ns=example.io"));
  for (const Request& request : server.requests()) {
    bool manifest = absl::StrContains(request.target, "/manifests/latest");
    auto accept = request.headers.find("accept");
    EXPECT_EQ(accept != request.headers.end() && absl::StrContains(accept->second, kManifestType),
              manifest);
    EXPECT_EQ(request.headers.count("accept-encoding"), 0u) << "no decoder runs here";
  }
}

TEST_F(FetchTest, ErrorsNameHostAndStatusAlone) {
  TestServer server([](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    return {.status = 404, .headers = {"X-Note: SECRET"}, .body = "SECRET"};
  });
  From(server);
  WantManifest();
  EXPECT_EQ(ExpectFailure(absl::StatusCode::kNotFound),
            absl::StrCat(server.host(), ": HTTP 404"));
}

TEST_F(FetchTest, StatusCodes) {
  int status = 0;
  TestServer server([&](const Request& request) -> Response {
    return {.status = IsGreeting(request) ? 200 : status};
  });
  From(server);
  WantManifest();
  status = 401;
  ExpectFailure(absl::StatusCode::kUnauthenticated);
  status = 403;
  ExpectFailure(absl::StatusCode::kPermissionDenied);
  status = 418;
  ExpectFailure(absl::StatusCode::kUnavailable);
  status = 204;
  ExpectFailure(absl::StatusCode::kUnavailable);
}

TEST_F(FetchTest, RetriesAndStartsTheFileAnew) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    switch (++tries) {
      case 1:
        return {.body = "half of a longer", .missing = 100};
      case 2:
        return {.status = 503, .body = "busy"};
      default:
        return {.body = "whole"};
    }
  });
  From(server);
  WantBlob('a');
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request_);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Text(0), "whole");
  EXPECT_EQ((*got)[0].bytes, 5u);
}

TEST_F(FetchTest, GivesUpAfterThreeTries) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    ++tries;
    return {.status = 429, .headers = {"Retry-After: 0"}};
  });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_EQ(tries, 3);
}

TEST_F(FetchTest, MoreThanWanted) {
  for (bool chunked : {false, true}) {
    TestServer server([&](const Request& request) -> Response {
      if (IsGreeting(request)) return {};
      return {.body = std::string(1 << 20, 'x'), .chunked = chunked};
    });
    request_.endpoints.clear();
    From(server);
    request_.items.clear();
    files_.clear();
    WantBlob('a', 1000);
    ExpectFailure(absl::StatusCode::kResourceExhausted);
    EXPECT_LE(Text(0).size(), 1000u);
  }
}

TEST_F(FetchTest, ExactlyAsMuchAsWanted) {
  TestServer server([](const Request&) -> Response { return {.body = std::string(1000, 'x')}; });
  From(server);
  WantBlob('a', 1000);
  EXPECT_TRUE(Fetch(request_).ok());
}

TEST_F(FetchTest, NextEndpointGivesWhatTheFirstLacks) {
  TestServer mirror([](const Request& request) -> Response {
    if (absl::StrContains(request.target, BlobDigest('a'))) return {.body = "from the mirror"};
    return {.status = 404};
  });
  TestServer origin([](const Request&) -> Response { return {.body = "from the origin"}; });
  From(mirror);
  From(origin);
  WantBlob('a');
  WantBlob('b');
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(Text(0), "from the mirror");
  EXPECT_EQ(Text(1), "from the origin");
  EXPECT_EQ(origin.requests().size(), 2u) << "its greeting and one item";
}

TEST_F(FetchTest, DeadEndpoint) {
  int dead_port;
  {
    TestServer gone([](const Request&) -> Response { return {}; });
    dead_port = gone.port();
  }
  TestServer origin([](const Request& request) -> Response {
    return {.status = IsGreeting(request) ? 200 : 404};
  });
  request_.endpoints.push_back({absl::StrCat("127.0.0.1:", dead_port), true});
  From(origin);
  WantBlob('a');
  std::string message = ExpectFailure(absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(message, absl::StrCat("127.0.0.1:", dead_port)))
      << "tells of the first one too: " << message;
  request_.endpoints.pop_back();
  ExpectFailure(absl::StatusCode::kUnavailable);
}

TEST_F(FetchTest, Deadline) {
  TestServer server([](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    return {.delay = absl::Seconds(20)};
  });
  From(server);
  WantBlob('a');
  request_.deadline = base::Deadline::After(absl::Seconds(1));
  absl::Time begin = absl::Now();
  ExpectFailure(absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(FetchTest, SideBySideButNotTooMany) {
  TestServer server([](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    return {.body = "x", .delay = absl::Milliseconds(300)};
  });
  From(server);
  for (char fill : std::string("0123456789abcdef")) WantBlob(fill);
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_LE(server.most_at_once(), 6);
  EXPECT_GT(server.most_at_once(), 1);
}

TEST_F(FetchTest, OneFailureEndsTheJob) {
  TestServer server([](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    if (absl::StrContains(request.target, BlobDigest('a'))) return {.status = 404};
    return {.body = "x", .delay = absl::Seconds(20)};
  });
  From(server);
  WantBlob('b');
  WantBlob('a');
  absl::Time begin = absl::Now();
  ExpectFailure(absl::StatusCode::kNotFound);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(FetchTest, FollowsARedirectWithoutTheToken) {
  TestServer storage([](const Request&) -> Response { return {.body = "blob"}; });
  TestServer server([&](const Request& request) -> Response {
    if (absl::StartsWith(request.target, "/token")) return {.body = R"({"token":"T0KEN"})"};
    if (request.headers.count("authorization") == 0) {
      return {.status = 401,
              .headers = {absl::StrCat("WWW-Authenticate: Bearer realm=\"http://",
                                       request.headers.at("host"), "/token\",service=\"s\"")}};
    }
    return {.status = 307,
            .headers = {absl::StrCat("Location: http://", storage.host(), "/x?sig=SECRET")}};
  });
  From(server);
  WantBlob('a');
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request_);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Text(0), "blob");
  EXPECT_EQ(server.requests().back().headers.at("authorization"), "Bearer T0KEN");
  ASSERT_EQ(storage.requests().size(), 1u);
  EXPECT_EQ(storage.requests()[0].headers.count("authorization"), 0u);
}

TEST_F(FetchTest, ExpiredTokenIsRenewedOnce) {
  std::atomic<int> tokens = 0;
  TestServer server([&](const Request& request) -> Response {
    Response unauthorized = {
        .status = 401,
        .headers = {absl::StrCat("WWW-Authenticate: Bearer realm=\"http://",
                                 request.headers.at("host"), "/token\"")}};
    if (absl::StartsWith(request.target, "/token")) {
      return {.body = absl::StrCat(R"({"token":"T)", ++tokens, "\"}")};
    }
    auto authorization = request.headers.find("authorization");
    if (authorization == request.headers.end() || authorization->second != "Bearer T2") {
      return unauthorized;
    }
    return {.body = "blob"};
  });
  From(server);
  WantBlob('a');
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(tokens, 2);
}

TEST_F(FetchTest, TokenServiceOnAnotherHostWithoutTls) {
  TestServer other([](const Request&) -> Response { return {.body = R"({"token":"x"})"}; });
  TestServer server([&](const Request&) -> Response {
    return {.status = 401,
            .headers = {absl::StrCat("WWW-Authenticate: Bearer realm=\"http://localhost:",
                                     other.port(), "/token\"")}};
  });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(FetchTest, ForbiddenRedirects) {
  TestServer victim([](const Request&) -> Response { return {.body = "internal"}; });
  std::string location;
  TestServer server([&](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    return {.status = 302, .headers = {absl::StrCat("Location: ", location)}};
  });
  From(server);
  WantBlob('a');
  for (std::string to :
       {std::string("file:///etc/shadow"), std::string("unix:///run/x.sock"),
        absl::StrCat("http://localhost:", victim.port(), "/x"),
        absl::StrCat("http://[::ffff:127.0.0.1]:", victim.port(), "/x"),
        std::string("http://169.254.169.254/latest/meta-data?SECRET")}) {
    location = to;
    ExpectFailure(absl::StatusCode::kPermissionDenied);
  }
  EXPECT_TRUE(victim.requests().empty());
}

TEST_F(FetchTest, EndlessRedirects) {
  TestServer server([](const Request& request) -> Response {
    if (IsGreeting(request)) return {};
    return {.status = 302, .headers = {"Location: /again"}};
  });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_LE(server.requests().size(), 8u);
}

TEST_F(FetchTest, TlsOfPlainServerFails) {
  TestServer server([](const Request&) -> Response { return {}; });
  request_.endpoints.push_back({server.host(), false});
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnavailable);
}

TEST_F(FetchTest, BadRequests) {
  TestServer server([](const Request&) -> Response { return {}; });
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kInvalidArgument);
  request_.endpoints.push_back({"user:SECRET@host", true});
  ExpectFailure(absl::StatusCode::kInvalidArgument);
  request_.endpoints = {{server.host(), true}};
  request_.repository = "../x";
  ExpectFailure(absl::StatusCode::kInvalidArgument);
  request_.repository = "x";
  request_.items[0].reference = "sha256:../../x";
  ExpectFailure(absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace bulkhead::worker
