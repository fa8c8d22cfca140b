#include "worker/fetch/fetch_fixture.h"

namespace bulkhead::worker {
namespace {

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
  EXPECT_EQ(Text(1),
            absl::StrCat("blob of /v2/team/app/blobs/", BlobDigest('a'), "?ns=example.io"));
  for (const Request& request : server.requests()) {
    bool manifest = absl::StrContains(request.target, "/manifests/latest");
    auto accept = request.headers.find("accept");
    EXPECT_EQ(accept != request.headers.end() && absl::StrContains(accept->second, kManifestType),
              manifest);
    EXPECT_EQ(request.headers.count("accept-encoding"), 0u) << "no decoder runs here";
  }
}

TEST_F(FetchTest, ErrorsNameHostAndStatusAlone) {
  TestServer server([](const Request&) -> Response {
    return {.status = 404, .headers = {"X-Note: SECRET"}, .body = "SECRET"};
  });
  From(server);
  WantManifest();
  EXPECT_EQ(ExpectFailure(absl::StatusCode::kNotFound), absl::StrCat(server.host(), ": HTTP 404"));
}

TEST_F(FetchTest, StatusCodes) {
  int status = 0;
  TestServer server([&](const Request&) -> Response { return {.status = status}; });
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
  TestServer server([&](const Request&) -> Response {
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

TEST_F(FetchTest, GivesUpAfterFourTries) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request&) -> Response {
    ++tries;
    return {.status = 429, .headers = {"Retry-After: 0"}};
  });
  From(server);
  WantBlob('a');
  ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_EQ(tries, 4);
}

TEST_F(FetchTest, MoreThanWanted) {
  for (bool chunked : {false, true}) {
    TestServer server([&](const Request&) -> Response {
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
  EXPECT_EQ(origin.requests().size(), 1u);
}

TEST_F(FetchTest, DeadEndpoint) {
  int dead_port;
  {
    TestServer gone([](const Request&) -> Response { return {}; });
    dead_port = gone.port();
  }
  TestServer origin([](const Request&) -> Response { return {.status = 404}; });
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
  TestServer server([](const Request&) -> Response { return {.delay = absl::Seconds(20)}; });
  From(server);
  WantBlob('a');
  request_.deadline = base::Deadline::After(absl::Seconds(1));
  absl::Time begin = absl::Now();
  ExpectFailure(absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(FetchTest, SideBySideButNotTooMany) {
  TestServer server(
      [](const Request&) -> Response { return {.body = "x", .delay = absl::Milliseconds(300)}; });
  From(server);
  for (char fill : std::string("0123456789abcdef")) WantBlob(fill);
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_LE(server.most_at_once(), 6);
  EXPECT_GT(server.most_at_once(), 1);
}

TEST_F(FetchTest, OneFailureEndsTheJob) {
  TestServer server([](const Request& request) -> Response {
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
