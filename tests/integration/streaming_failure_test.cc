// How streams must fail: nothing is given away, nothing is left behind, and nobody else notices.
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "streaming/spdy/bytes.h"
#include "tests/support/proc.h"
#include "tests/support/stream_fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const HeaderLines kSpdyUpgrade = {{"Connection", "Upgrade"},
                                  {"Upgrade", "SPDY/3.1"},
                                  {"X-Stream-Protocol-Version", "v4.channel.k8s.io"}};

class StreamingFailure : public StreamTest {};
using V41 = StreamingFailure;
using V42 = StreamingFailure;
using V43 = StreamingFailure;
using V45 = StreamingFailure;

TEST_F(V43, WhateverIsWrongWithATokenTheAnswerIsTheSame) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  const std::string used = *ExecUrl(container, {"/bin/true"});
  EXPECT_TRUE(OpenCommand(used)->AwaitClose());
  const std::string other = *ExecUrl(container, {"/bin/true"});
  const std::string base = used.substr(0, used.find("/exec/"));
  const std::string token = other.substr(other.rfind('/') + 1);
  std::string wrong = token;
  wrong[0] = wrong[0] == 'a' ? 'b' : 'a';
  std::set<std::string> answers;
  for (const std::string& path :
       {std::string("/"), std::string("/exec/"), "/exec/" + wrong, "/attach/" + token,
        "/exec/" + token, used.substr(base.size()), "/exec/" + token.substr(1), "//exec/" + token,
        "/exec%2f" + token, "/../exec/" + token, std::string("http://elsewhere/exec/") + token}) {
    StreamConnection connection(base + "/");
    answers.insert(connection.RequestTarget("POST", path, kSpdyUpgrade));
  }
  ASSERT_EQ(answers.size(), 1u) << ::testing::PrintToString(answers);
  EXPECT_THAT(*answers.begin(), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(node().Log(), HasSubstr("no good token"));
  RemoveAll();
}

TEST_F(V43, NeverARedirectAndNoTokenLostToABadRequest) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  const std::string url = *ExecUrl(container, {"/bin/echo", "kept"});
  for (const auto& [method, headers] : std::vector<std::pair<std::string, HeaderLines>>{
           {"GET", {}},
           {"POST", {}},
           {"PUT", kSpdyUpgrade},
           {"OPTIONS", kSpdyUpgrade},
           {"GET", {{"Connection", "Upgrade"}, {"Upgrade", "h2c"}}},
           {"POST",
            {{"Connection", "Upgrade"},
             {"Upgrade", "SPDY/3.1"},
             {"X-Stream-Protocol-Version", "v9"}}},
           {"POST", {{"Upgrade", "SPDY/3.1"}}}}) {
    StreamConnection connection(url);
    const std::string answer = connection.Request(method, headers);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 4")) << method;
  }
  StreamConnection garbage(url);
  EXPECT_THAT(garbage.RequestTarget("\x16\x03\x01", "\xff", {}), StartsWith("HTTP/1.1 400 "));
  auto client = OpenCommand(url);
  EXPECT_TRUE(client->AwaitClose());
  EXPECT_EQ(client->data(kOut), "kept\n");
  RemoveAll();
}

TEST_F(StreamingFailure, ClientGoneMidStream) {
  const std::string container = StartContainer({"/bin/sleep", "1000"}, true);
  const Footprint before = TakeFootprint();
  auto plain = OpenCommand(ExecUrl(container, {"/bin/sh", "-c", "echo up; sleep 900"}));
  auto tty = OpenCommand(ExecUrl(container, {"/bin/sh"}, true, true), true, true);
  auto flood = OpenCommand(ExecUrl(container, {"/bin/cat", "/dev/zero"}));
  auto deaf = OpenCommand(ExecUrl(container, {"/bin/sleep", "900"}, true), true);
  auto attached = OpenCommand(AttachUrl(container, false, false));
  EXPECT_TRUE(plain->AwaitText(kOut, "up"));
  EXPECT_TRUE(flood->AwaitText(kOut, std::string("\0", 1)));
  // More than anything buffers, to a command that reads nothing.
  for (int i = 0; i < 12; ++i) deaf->Send(kIn, std::string(32 << 10, 'x'));
  EXPECT_GT(TakeFootprint().processes, before.processes + 8);
  plain.reset();
  tty.reset();
  flood.reset();
  deaf.reset();
  attached.reset();
  EXPECT_TRUE(Settles(before)) << TakeFootprint() << ", before " << before;
  ExpectServes(container);
  RemoveAll();
}

TEST_F(StreamingFailure, ContainerEndsMidStream) {
  const std::string container = StartContainer({"/bin/sleep", "1000"}, true);
  auto exec = OpenCommand(ExecUrl(container, {"/bin/cat"}, true), true);
  WebSocketClient socket(*ExecUrl(container, {"/bin/cat"}, true));
  ASSERT_TRUE(socket.Upgrade("v5.channel.k8s.io"));
  auto attached = OpenCommand(AttachUrl(container, false, false));
  exec->Send(kIn, "x");
  EXPECT_TRUE(exec->AwaitText(kOut, "x"));
  const std::string late = *ExecUrl(container, {"/bin/true"});
  EXPECT_THAT(Stop(container, 0), IsOk());
  EXPECT_TRUE(exec->AwaitClose());
  EXPECT_THAT(exec->data(kError), HasSubstr(R"("message":"137")"));
  EXPECT_TRUE(socket.AwaitClose());
  EXPECT_TRUE(attached->AwaitClose());
  auto too_late = OpenCommand(late);
  EXPECT_TRUE(too_late->AwaitClose());
  EXPECT_THAT(too_late->data(kError), HasSubstr("is not running"));
  EXPECT_THAT(ExecUrl(container, {"/bin/true"}).status().message(), HasSubstr("is not running"));
  RemoveAll();
}

TEST_F(V42, ManyAttachAndDrop) {
  const std::string container = StartContainer({"/bin/cat"}, true);
  ExpectServes(container);
  const Footprint before = TakeFootprint();
  // By hand: BULKHEAD_TEST_ATTACHES=10000.
  const char* wanted = getenv("BULKHEAD_TEST_ATTACHES");
  const int count = wanted == nullptr ? 200 : atoi(wanted);
  for (int i = 0; i < count; ++i) {
    auto client = OpenCommand(AttachUrl(container, true, false), true);
    if (i % 2 == 0) client->Send(kIn, "x\n");
  }
  EXPECT_TRUE(Settles(before)) << TakeFootprint() << ", before " << before;
  auto client = OpenCommand(AttachUrl(container, true, false), true);
  while (!client->AwaitText(kOut, "still\n", absl::Milliseconds(200))) client->Send(kIn, "still\n");
  client.reset();
  EXPECT_TRUE(Settles(before)) << TakeFootprint() << ", before " << before;
  RemoveAll();
}

TEST_F(V42, AHundredThousandResizesAfterAFailedExec) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  auto client = OpenCommand(ExecUrl(container, {"/no/such"}, false, true), false, true);
  std::string sizes;
  for (int i = 0; i < 1000; ++i) sizes += R"({"Width":80,"Height":24})";
  for (int i = 0; i < 100 && client->Send(kResize, sizes); ++i) {
  }
  EXPECT_TRUE(client->AwaitClose());
  ExpectServes(container);
  RemoveAll();
}

TEST_F(V42, ASlowRequestHasTenSeconds) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  const Footprint before = TakeFootprint();
  std::vector<std::unique_ptr<StreamConnection>> slow;
  const std::string url = *ExecUrl(container, {"/bin/true"});
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<StreamConnection>(url));
    slow.back()->SendRaw("POST /exec/");
  }
  EXPECT_TRUE(
      Eventually(absl::Seconds(5), [&] { return TakeFootprint().processes > before.processes; }));
  ExpectServes(container);
  EXPECT_TRUE(
      Eventually(absl::Seconds(20), [&] { return TakeFootprint().processes <= before.processes; }));
  RemoveAll();
}

TEST_F(StreamingFailure, HalfOpenConnectionIsNoticed) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  const Footprint before = TakeFootprint();
  auto quiet = OpenCommand(ExecUrl(container, {"/bin/sh", "-c", "echo up; sleep 900"}));
  auto loud =
      OpenCommand(ExecUrl(container, {"/bin/sh", "-c", "while echo up; do sleep 0.1; done"}));
  EXPECT_TRUE(quiet->AwaitText(kOut, "up"));
  EXPECT_TRUE(loud->AwaitText(kOut, "up"));
  // The client's machine vanishes: not a packet to or from its ports any more.
  for (const auto& client : {quiet.get(), loud.get()}) {
    sockaddr_in address = {};
    socklen_t size = sizeof(address);
    ASSERT_EQ(getsockname(client->fd(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    for (const char* way : {"--sport", "--dport"}) {
      ASSERT_EQ(RunProgram({"/usr/sbin/iptables", "-A", "INPUT", "-p", "tcp", way,
                            absl::StrCat(ntohs(address.sin_port)), "-j", "DROP"})
                    .code,
                0);
    }
  }
  EXPECT_TRUE(
      Eventually(absl::Seconds(25), [&] { return TakeFootprint().processes <= before.processes; }))
      << TakeFootprint() << ", before " << before;
  RunProgram({"/usr/sbin/iptables", "-F", "INPUT"});
  RemoveAll();
}

TEST_F(StreamingFailure, StreamsOutliveBrokerAndFrontend) {
  const std::string container = StartContainer({"/bin/cat"}, true);
  auto exec = OpenCommand(ExecUrl(container, {"/bin/cat"}, true), true);
  auto attached = OpenCommand(AttachUrl(container, true, false), true);
  exec->Send(kIn, "before ");
  EXPECT_TRUE(exec->AwaitText(kOut, "before "));
  kill(node().Daemon("broker"), SIGKILL);
  exec->Send(kIn, "after");
  EXPECT_TRUE(exec->AwaitText(kOut, "before after"));
  while (!attached->AwaitText(kOut, "again", absl::Milliseconds(200)))
    attached->Send(kIn, "again\n");
  EXPECT_TRUE(Eventually(kPatience, [&] { return ExecUrl(container, {"/bin/true"}).ok(); }));
  exec->End(kIn);
  EXPECT_TRUE(exec->AwaitClose());
  EXPECT_EQ(exec->data(kError), kSuccess);
  ExpectServes(container);
  attached.reset();
  kill(node().Daemon("streaming"), SIGKILL);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    auto url = ExecUrl(container, {"/bin/echo", "x"});
    return url.ok() && SpdyClient(*url).Upgrade("v4.channel.k8s.io");
  }));
  RemoveAll();
}

TEST_F(V41, ExecSyncIsCutAndSaysSo) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  auto flood = Exec(container, {"/bin/sh", "-c", "head -c 40000000 /dev/zero; exit 6"}, 60);
  ASSERT_THAT(flood.status(), IsOk());
  EXPECT_EQ(flood->exit_code(), 6);
  EXPECT_LE(flood->stdout().size() + flood->stderr().size(), 16u << 20);
  EXPECT_GT(flood->stdout().size(), 15u << 20);
  EXPECT_THAT(flood->stderr(), HasSubstr("more than 16 MiB"));
  RemoveAll();
}

TEST_F(V41, ExecSyncTimeoutLeavesNoProcess) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  const Footprint before = TakeFootprint();
  const absl::Time begin = absl::Now();
  auto late = Exec(
      container,
      {"/bin/sh", "-c", "(setsid sh -c 'sleep 801 & sleep 802' &) ; sleep 803 & exec sleep 804"},
      1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(late.status())) << late.status();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(15));
  EXPECT_TRUE(Settles(before)) << TakeFootprint() << ", before " << before;
  // What is in the background of a command that ends in time is its own business, and does not hold
  // it up.
  const absl::Time then = absl::Now();
  EXPECT_THAT(Exec(container, {"/bin/sh", "-c", "sleep 805 & echo done"}, 20).status(), IsOk());
  EXPECT_LT(absl::Now() - then, absl::Seconds(10));
  RemoveAll();
}

TEST_F(V45, NoForwardIntoTheNodesNetworkUnlessAllowed) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});  // on the node's network
  const absl::Status refused = ForwardUrl().status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("streaming.forward_to_node"));
  EXPECT_THAT(node().Log(), HasSubstr("refused a port-forward"));
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
