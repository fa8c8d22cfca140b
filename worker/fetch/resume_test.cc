// Connections that break, servers that are busy.
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "worker/fetch/fetch_fixture.h"

namespace bulkhead::worker {
namespace {

std::string Body() {
  std::string body;
  for (int i = 0; body.size() < (1 << 20); ++i) absl::StrAppend(&body, i, " ");
  return body;
}

// Where the request wants the body to begin.
size_t Start(const Request& request) {
  absl::string_view range = request.headers.count("range") ? request.headers.at("range") : "";
  size_t start = 0;
  if (absl::ConsumePrefix(&range, "bytes=") && absl::ConsumeSuffix(&range, "-")) {
    EXPECT_TRUE(absl::SimpleAtoi(range, &start)) << range;
  }
  return start;
}

// The rest from start, cut after `most` bytes as a broken connection cuts it.
Response Part(const std::string& body, size_t start, size_t most) {
  std::string rest = body.substr(start, most);
  Response response = {.status = start > 0 ? 206 : 200, .body = rest};
  response.missing = body.size() - start - rest.size();
  if (start > 0) {
    response.headers = {
        absl::StrCat("Content-Range: bytes ", start, "-", body.size() - 1, "/", body.size())};
  }
  return response;
}

class ResumeTest : public FetchTest {
 protected:
  const std::string body_ = Body();
};

TEST_F(ResumeTest, GoesOnWhereItBrokeOff) {
  TestServer server(
      [&](const Request& request) -> Response { return Part(body_, Start(request), 300 << 10); });
  From(server);
  WantBlob('a', body_.size());
  absl::StatusOr<std::vector<Fetched>> got = Fetch(request_);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].bytes, body_.size());
  EXPECT_TRUE(Text(0) == body_);
  ASSERT_EQ(server.requests().size(), 4u);
  EXPECT_EQ(server.requests()[1].header("range"), absl::StrCat("bytes=", 300 << 10, "-"));
}

TEST_F(ResumeTest, GivesUpWhereNothingComes) {
  TestServer server(
      [&](const Request& request) -> Response { return Part(body_, Start(request), 100); });
  From(server);
  WantBlob('a', body_.size());
  ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST_F(ResumeTest, ServerThatKnowsNoRanges) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request&) -> Response {
    return Part(body_, 0, ++tries == 1 ? 1000 : body_.size());
  });
  From(server);
  WantBlob('a', body_.size());
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_TRUE(Text(0) == body_);
}

TEST_F(ResumeTest, AnotherPartThanAskedFor) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request& request) -> Response {
    if (++tries == 2) {
      EXPECT_EQ(Start(request), 1000u);
      Response wrong = Part(body_, 1000, body_.size());
      wrong.headers = {"Content-Range: bytes 999-1048/1049"};
      return wrong;
    }
    return Part(body_, Start(request), tries == 1 ? 1000 : body_.size());
  });
  From(server);
  WantBlob('a', body_.size());
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_TRUE(Text(0) == body_);
  EXPECT_EQ(server.requests()[2].header("range"), "") << "from the beginning again";
}

TEST_F(ResumeTest, BeyondTheEnd) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request& request) -> Response {
    if (++tries == 1) return Part(body_, 0, 1000);
    if (Start(request) > 0) return {.status = 416};
    return Part(body_, 0, body_.size());
  });
  From(server);
  WantBlob('a', body_.size());
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_TRUE(Text(0) == body_);
}

TEST_F(ResumeTest, MoreThanTheSizeInParts) {
  TestServer server(
      [&](const Request& request) -> Response { return Part(body_, Start(request), 600 << 10); });
  From(server);
  WantBlob('a', 700 << 10);
  ExpectFailure(absl::StatusCode::kResourceExhausted);
}

TEST_F(ResumeTest, ThroughARedirect) {
  TestServer storage(
      [&](const Request& request) -> Response { return Part(body_, Start(request), 600 << 10); });
  TestServer server([&](const Request&) -> Response {
    return {.status = 307, .headers = {absl::StrCat("Location: http://", storage.host(), "/x")}};
  });
  From(server);
  WantBlob('a', body_.size());
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_TRUE(Text(0) == body_);
  EXPECT_EQ(server.requests().size(), 2u) << "a signed URL may be old by then: asked anew";
}

TEST_F(ResumeTest, AnotherEndpointBeginsAnew) {
  TestServer mirror([&](const Request& request) -> Response {
    return Part(std::string(body_.size(), 'w'), Start(request), 1000);
  });
  TestServer origin([&](const Request& request) -> Response {
    EXPECT_EQ(Start(request), 0u);
    return Part(body_, 0, body_.size());
  });
  From(mirror);
  From(origin);
  WantBlob('a', body_.size());
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_TRUE(Text(0) == body_);
}

TEST_F(ResumeTest, WaitsAsLongAsItIsAskedTo) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request&) -> Response {
    if (++tries == 1) return {.status = 429, .headers = {"Retry-After: 2"}};
    return {.body = "blob"};
  });
  From(server);
  WantBlob('a');
  absl::Time begin = absl::Now();
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_GE(absl::Now() - begin, absl::Seconds(2));
}

TEST_F(ResumeTest, DoesNotWaitForAnHour) {
  TestServer server([&](const Request&) -> Response {
    return {.status = 429, .headers = {"Retry-After: 3600"}};
  });
  From(server);
  WantBlob('a');
  request_.deadline = base::Deadline::Never();
  absl::Time begin = absl::Now();
  ExpectFailure(absl::StatusCode::kUnavailable);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(ResumeTest, ResetConnections) {
  std::atomic<int> tries = 0;
  TestServer server([&](const Request&) -> Response {
    if (++tries < 3) return {.raw = "HTTP"};
    return {.body = "blob"};
  });
  From(server);
  WantManifest();
  ASSERT_TRUE(Fetch(request_).ok());
  EXPECT_EQ(Text(0), "blob");
}

}  // namespace
}  // namespace bulkhead::worker
