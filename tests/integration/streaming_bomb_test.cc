// Clients, commands and pods that take more than their share: it costs them their own stream at
// most.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "streaming/spdy/bytes.h"
#include "tests/support/stream_fixture.h"

namespace bulkhead::test {
namespace {

using streaming::spdy::Append32;
using ::testing::HasSubstr;
using ::testing::Not;
using Runtime = tools::CriClient::Runtime;

class StreamBomb : public StreamTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.extra_config = "streaming.forward_to_node = true\n";
    return options;
  }

  // A container, and a stream into it that nothing may disturb.
  void Begin() {
    container_ = StartContainer({"/bin/sleep", "1000"});
    bystander_ = OpenCommand(ExecUrl(container_, {"/bin/cat"}, true), true);
    ExpectUndisturbed();
    ExpectServes(container_);
    before_ = TakeFootprint();
  }
  void ExpectUndisturbed() {
    const std::string word = absl::StrCat("word ", ++words_, "\n");
    bystander_->Send(kIn, word);
    EXPECT_TRUE(bystander_->AwaitText(kOut, word));
  }
  void ExpectSettled() {
    EXPECT_TRUE(Settles(before_)) << TakeFootprint() << ", before " << before_;
    ExpectUndisturbed();
    ExpectServes(container_);
  }

  std::string container_;
  std::unique_ptr<SpdyClient> bystander_;
  Footprint before_;
  int words_ = 0;
};
using V41 = StreamBomb;
using V42 = StreamBomb;
using V44 = StreamBomb;
using V45 = StreamBomb;

std::string Settings(uint32_t count) {
  std::string payload;
  Append32(&payload, count);
  return payload;
}

TEST_F(V42, SpdyBombsEndTheirOwnConnection) {
  Begin();
  const std::vector<std::pair<const char*, std::function<void(SpdyClient&)>>> bombs = {
      {"settings without end", [](SpdyClient& one) { one.Control(4, Settings(UINT32_MAX)); }},
      {"a control frame of 16 MiB",
       [](SpdyClient& one) { one.SendRaw(std::string("\x80\x03\x00\x01\x00\xff\xff\xff", 8)); }},
      {"headers that unpack to 32 MiB",
       [](SpdyClient& one) {
         one.Open(1, {{"streamtype", std::string(32 << 20, 'a')}});
       }},
      {"a million headers",
       [](SpdyClient& one) {
         streaming::spdy::Headers many;
         for (int i = 0; i < 1000000; ++i) many.emplace_back("a", "");
         one.Open(1, many);
       }},
      {"not SPDY at all", [](SpdyClient& one) { one.SendRaw(std::string(1 << 20, '\xff')); }},
  };
  for (const auto& [what, explode] : bombs) {
    SpdyClient client(*ExecUrl(container_, {"/bin/cat"}, true));
    ASSERT_TRUE(client.Upgrade("v4.channel.k8s.io"));
    explode(client);
    EXPECT_TRUE(client.AwaitClose()) << what;
    EXPECT_EQ(client.data(kOut), "");
    ExpectUndisturbed();
  }
  ExpectSettled();
  bystander_.reset();
  RemoveAll();
}

// What asks for answers without reading them is not read any further itself.
TEST_F(V42, SpdyFloodsAreHeldBack) {
  Begin();
  std::vector<std::unique_ptr<SpdyClient>> floods;
  const auto flood = [&](const std::function<std::string(uint32_t)>& frame) {
    floods.push_back(std::make_unique<SpdyClient>(*ExecUrl(container_, {"/bin/cat"}, true)));
    ASSERT_TRUE(floods.back()->Upgrade("v4.channel.k8s.io"));
    const timeval brief = {.tv_sec = 1};
    setsockopt(floods.back()->fd(), SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief));
    std::string many;
    for (uint32_t i = 0; i < 1000; ++i) many += frame(i);
    for (int i = 0; i < 2000 && floods.back()->SendRaw(many); ++i) {
    }
  };
  flood([](uint32_t id) {  // pings
    std::string frame("\x80\x03\x00\x06\x00\x00\x00\x04", 8);
    Append32(&frame, 2 * id + 1);
    return frame;
  });
  flood([](uint32_t) {  // data for a stream that never was
    std::string frame;
    Append32(&frame, 77);
    Append32(&frame, 16);
    return frame + std::string(16, 'x');
  });
  ExpectUndisturbed();
  EXPECT_LT(TakeFootprint().kib, before_.kib + (64 << 10));
  floods.clear();
  ExpectSettled();
  bystander_.reset();
  RemoveAll();
}

TEST_F(V42, WebSocketBombsEndTheirOwnConnection) {
  Begin();
  const std::string longest("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 14);
  const std::vector<std::pair<const char*, std::function<void(WebSocketClient&)>>> bombs = {
      {"a message of 2^63 bytes", [&](WebSocketClient& one) { one.SendRaw(longest); }},
      {"a ping of 64 KiB", [](WebSocketClient& one) { one.Frame(9, std::string(64 << 10, 'x')); }},
      {"a frame that is not masked",
       [](WebSocketClient& one) { one.SendRaw(std::string("\x82\x02\x00x", 4)); }},
      {"a channel that is not there", [](WebSocketClient& one) { one.Send(200, "x"); }},
      {"a compressed frame", [](WebSocketClient& one) { one.Frame(0x40 | 2, "\x01x"); }},
  };
  for (const auto& [what, explode] : bombs) {
    WebSocketClient client(*ExecUrl(container_, {"/bin/cat"}, true));
    ASSERT_TRUE(client.Upgrade("v4.channel.k8s.io"));
    explode(client);
    EXPECT_TRUE(client.AwaitClose()) << what;
    ExpectUndisturbed();
  }
  WebSocketClient text(*ExecUrl(container_, {"/bin/cat"}, true));
  ASSERT_TRUE(text.Upgrade("v4.base64.channel.k8s.io"));
  text.Frame(1, "0" + std::string(8 << 20, 'A'));
  EXPECT_TRUE(text.AwaitClose()) << "base64 that has to be seen as a whole";
  ExpectSettled();
  bystander_.reset();
  RemoveAll();
}

TEST_F(V41, ManyFloodsOfExecSyncAtOnce) {
  Begin();
  std::vector<std::thread> calls;
  for (int i = 0; i < 6; ++i) {
    calls.emplace_back([this] {
      tools::CriClient client(node().run_dir() + "/cri.sock");
      cri::ExecSyncRequest request;
      request.set_container_id(container_);
      // Without end; what stays behind keeps the pipe and floods it too.
      for (const char* word : {"/bin/sh", "-c", "setsid cat /dev/zero & exec cat /dev/zero"}) {
        request.add_cmd(word);
      }
      request.set_timeout(2);
      const absl::Status flooded = client.Call(&Runtime::ExecSync, request, kPatience).status();
      EXPECT_TRUE(absl::IsDeadlineExceeded(flooded)) << flooded;
    });
  }
  for (std::thread& call : calls) call.join();
  ExpectUndisturbed();
  ExpectSettled();
  bystander_.reset();
  RemoveAll();
}

TEST_F(V41, TheAnswersOfFloodsAreGivenBack) {
  Begin();
  std::vector<std::thread> calls;
  for (int i = 0; i < 4; ++i) {
    calls.emplace_back([this] {
      tools::CriClient client(node().run_dir() + "/cri.sock");
      cri::ExecSyncRequest request;
      request.set_container_id(container_);
      for (const char* word : {"head", "-c", "64000000", "/dev/zero"}) request.add_cmd(word);
      request.set_timeout(60);
      auto answer = client.Call(&Runtime::ExecSync, request, kPatience);
      ASSERT_THAT(answer.status(), IsOk());
      EXPECT_THAT(answer->stderr(), HasSubstr("more than 16 MiB"));
    });
  }
  for (std::thread& call : calls) call.join();
  ExpectSettled();
  bystander_.reset();
  RemoveAll();
}

// Root in a pod on the node's network shares the node's abstract sockets, but no file of its.
TEST_F(V44, APodOnTheNodesNetworkReachesNoSocketOfOurs) {
  Begin();
  auto sockets = Exec(container_, {"/bin/cat", "/proc/net/unix"});
  ASSERT_THAT(sockets.status(), IsOk());
  EXPECT_THAT(sockets->stdout(), HasSubstr(node().run_dir())) << "the sockets that have a path";
  EXPECT_THAT(sockets->stdout(), Not(HasSubstr(" @")));
  for (const char* name : {"/cri.sock", "/admin.sock", "/monitor"}) {
    const std::string path = node().run_dir() + name;
    struct stat st;
    ASSERT_EQ(stat(path.c_str(), &st), 0) << path;
    EXPECT_EQ(Exec(container_, {"/bin/test", "-e", path})->exit_code(), 1) << path;
  }
  bystander_.reset();
  RemoveAll();
}

TEST_F(V45, NoConnectionOnceThePodIsStopped) {
  Begin();
  const std::string url = *ForwardUrl();
  SpdyClient open(*ForwardUrl());
  ASSERT_TRUE(open.Upgrade("portforward.k8s.io"));
  bystander_.reset();
  EXPECT_THAT(StopPod(pod_), IsOk());
  SpdyClient late(url);
  ASSERT_TRUE(late.Upgrade("portforward.k8s.io"));
  for (SpdyClient* client : {&open, &late}) {
    client->Open(1, {{"streamtype", "error"}, {"port", "5000"}, {"requestid", "1"}});
    client->Open(3, {{"streamtype", "data"}, {"port", "5000"}, {"requestid", "1"}});
    EXPECT_TRUE(client->AwaitText(1, "is not ready")) << client->data(1);
    EXPECT_EQ(client->data(3), "");
  }
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
