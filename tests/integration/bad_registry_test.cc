// Registries that are sick, busy or wicked, and callers that go away.
#include <thread>

#include "tests/integration/registry_fixture.h"
#include "tools/client/admin.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BadRegistry : public RegistryTest {
 protected:
  void Prepare() override {
    WriteHosts("127.0.0.1_5010_", "server = \"http://127.0.0.1:5010\"\n");
    WriteHosts("127.0.0.1_5011_", "server = \"http://127.0.0.1:5011\"\n");
  }
  std::string More() override { return "pulls.minimum_window_seconds = 2\npulls.at_once = 1\n"; }

  // A pull that another thread waits for.
  class Background {
   public:
    Background(Node& node, const std::string& image, absl::Duration patience = kPatience)
        : client_(node.run_dir() + "/cri.sock"), thread_([this, image, patience] {
            cri::PullImageRequest request;
            request.mutable_image()->set_image(image);
            auto answer = client_.Call(&ImageStub::PullImage, request, patience);
            if (answer.ok()) id_ = answer->image_ref();
            status_ = answer.status();
          }) {}
    ~Background() { Join().IgnoreError(); }
    void GoAway() { client_.Cancel(); }
    absl::Status Join() {
      if (thread_.joinable()) thread_.join();
      return status_;
    }
    const std::string& id() const { return id_; }

   private:
    tools::CriClient client_;
    absl::Status status_;
    std::string id_;
    std::thread thread_;
  };

  std::vector<tools::AdminPull> Pulls() {
    auto pulls = tools::AdminPulls(node().admin_socket());
    EXPECT_THAT(pulls, IsOk());
    return pulls.ok() ? *pulls : std::vector<tools::AdminPull>();
  }
};

// Incompressible, so that its blob is as big.
const std::vector<std::string> kBig = {"--extra-layers", "1", "--layer-bytes", "3000000"};

TEST_F(BadRegistry, ConnectionsThatBreak) {
  Push("some/big:1", kBig);
  RunProxy(5010, {"--reset-after", "400000"});
  ExpectPulls("127.0.0.1:5010/some/big:1");
  EXPECT_THAT(ReadWhole(ProxyLog(5010)), HasSubstr("bytes="));
}

TEST_F(BadRegistry, BusyForAWhile) {
  Push("some/app:1");
  RunProxy(5010, {"--busy", "2"});
  ExpectPulls("127.0.0.1:5010/some/app:1");
}

TEST_F(BadRegistry, V3WrongBytes) {
  Push("some/app:1");
  RunProxy(5010, {"--rot"});
  ExpectFails("127.0.0.1:5010/some/app:1", absl::StatusCode::kDataLoss);
  RunProxy(5011, {"--short"});
  absl::StatusOr<std::string> shorter = PullWith("127.0.0.1:5011/some/app:1", {});
  EXPECT_FALSE(shorter.ok());
}

TEST_F(BadRegistry, V4EndlessHeaders) {
  Push("some/app:1");
  RunProxy(5010, {"--endless-headers"});
  ExpectFails("127.0.0.1:5010/some/app:1", absl::StatusCode::kResourceExhausted);
}

TEST_F(BadRegistry, V4SlowDrip) {
  Push("some/app:1");
  RunProxy(5010, {"--drip"});
  absl::Time begin = absl::Now();
  ExpectFails("127.0.0.1:5010/some/app:1", absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));
}

TEST_F(BadRegistry, V5RedirectToThisNode) {
  Push("some/app:1");
  RunProxy(5011, {});
  RunProxy(5010, {"--redirect", "http://localhost:5011/v2/some/app/blobs/x?sig=S3CRET"});
  ExpectFails("127.0.0.1:5010/some/app:1", absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReadWhole(ProxyLog(5011)), "");
}

TEST_F(BadRegistry, V1RedirectToAnotherPort) {
  Push("some/app:1");
  RunProxy(5011, {});
  RunProxy(5010, {"--redirect", "http://127.0.0.1:5011/v2/some/app/blobs/x"});
  cri::AuthConfig token;
  token.set_registry_token("token-S3CRET");
  ExpectFails("127.0.0.1:5010/some/app:1", absl::StatusCode::kNotFound, token);
  EXPECT_THAT(ReadWhole(ProxyLog(5010)), HasSubstr("Bearer token-S3CRET"));
  EXPECT_THAT(ReadWhole(ProxyLog(5011)), HasSubstr("/blobs/x - -"));
  EXPECT_THAT(ReadWhole(ProxyLog(5011)), Not(HasSubstr("S3CRET")));
}

TEST_F(BadRegistry, OneAtATimeAndTheSameOneTogether) {
  Push("some/app:1");
  Push("some/other:1", {"--extra-layers", "1", "--layer-bytes", "900000"});
  RunProxy(5010, {"--drip"});
  RunProxy(5011, {});
  Background slow(node(), "127.0.0.1:5010/some/app:1");
  ASSERT_TRUE(Eventually(kPatience, [&] { return Pulls().size() == 1; }));
  Background second(node(), "127.0.0.1:5011/some/other:1");
  Background again(node(), "127.0.0.1:5011/some/other:1");
  ASSERT_TRUE(Eventually(kPatience, [&] {
    auto pulls = Pulls();
    return pulls.size() == 2 && pulls[1].waiting && pulls[1].callers == 2;
  }));
  EXPECT_EQ(ReadWhole(ProxyLog(5011)), "") << "the second waits";
  EXPECT_THAT(node().Bulkhead({"status"}).out, HasSubstr("waits for other pulls"));
  slow.GoAway();
  EXPECT_EQ(slow.Join().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(second.Join(), IsOk());
  EXPECT_THAT(again.Join(), IsOk());
  EXPECT_EQ(second.id(), again.id());
  EXPECT_EQ(CountIn(ProxyLog(5011), "/manifests/1"), 1) << "pulled once";
  RemoveImage(second.id());
}

TEST_F(BadRegistry, CallersThatGoAway) {
  Push("some/app:1");
  RunProxy(5010, {"--drip"});
  auto fetching = [&] {
    for (const ProcessInfo& info : Descendants(node().up().pid())) {
      if (info.name == "bh-fetch") return true;
    }
    return false;
  };
  Background one(node(), "127.0.0.1:5010/some/app:1");
  Background two(node(), "127.0.0.1:5010/some/app:1");
  ASSERT_TRUE(Eventually(kPatience, [&] {
    auto pulls = Pulls();
    return pulls.size() == 1 && pulls[0].callers == 2 && fetching() &&
           CountIn(ProxyLog(5010), "/blobs/") > 0;
  }));
  one.GoAway();
  EXPECT_EQ(one.Join().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(fetching()) << "somebody waits still";
  two.GoAway();
  EXPECT_EQ(two.Join().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return !fetching(); }));
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return Pulls().empty(); }));
  EXPECT_THAT(node().Log(), Not(HasSubstr("worker died")));
}

class Progress : public BadRegistry {
 protected:
  std::string More() override { return "pulls.minimum_bytes_per_second = 0\n"; }
};

TEST_F(Progress, IsShown) {
  Push("some/app:1", {"--extra-layers", "1", "--layer-bytes", "1000000"});
  RunProxy(5010, {"--drip"});
  Output pulled = node().Bulkhead({"image", "pull", "127.0.0.1:5000/some/app:1", "--progress"});
  EXPECT_EQ(pulled.code, 0) << pulled.err;
  EXPECT_THAT(pulled.err, HasSubstr("127.0.0.1:5000/some/app:1: pulled"));
  RemoveImage("127.0.0.1:5000/some/app:1");

  Background slow(node(), "127.0.0.1:5010/some/app:1");
  ASSERT_TRUE(Eventually(kPatience, [&] {
    auto pulls = Pulls();
    return pulls.size() == 1 && pulls[0].parts.size() == 2 && pulls[0].parts[1].fetched > 20;
  }));
  auto pull = Pulls().at(0);
  EXPECT_EQ(pull.parts[0].state, schema::Pull::Part::State::DONE) << "the node's own image has it";
  EXPECT_EQ(pull.parts[1].state, schema::Pull::Part::State::FETCHING);
  EXPECT_GT(pull.parts[1].size, 500u << 10);
  EXPECT_LT(pull.parts[1].fetched, pull.parts[1].size);
  EXPECT_THAT(node().Bulkhead({"status"}).out, HasSubstr("  127.0.0.1:5010/some/app:1: 1.0 of"));
  slow.GoAway();
  EXPECT_EQ(slow.Join().code(), absl::StatusCode::kCancelled);
}

class Deadline : public BadRegistry {
 protected:
  std::string More() override {
    return "pulls.minimum_bytes_per_second = 0\npulls.deadline_seconds = 3\n";
  }
};

TEST_F(Deadline, OfAWholePull) {
  Push("some/app:1");
  RunProxy(5010, {"--drip"});
  absl::Time begin = absl::Now();
  ExpectFails("127.0.0.1:5010/some/app:1", absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
}

}  // namespace
}  // namespace bulkhead::test
