// Exec, attach and port-forward as kubectl does them, with both protocols, on real containers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/stream_fixture.h"

namespace bulkhead::test {
namespace {

using ::testing::HasSubstr;

class Streaming : public StreamTest {
 protected:
  NodeOptions Options() override {
    NodeOptions options;
    options.extra_config = "streaming.forward_to_node = true\n";
    return options;
  }
};

TEST_F(Streaming, ExecWithSpdy) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  auto client =
      OpenCommand(ExecUrl(container, {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}));
  EXPECT_TRUE(client->AwaitClose());
  EXPECT_EQ(client->data(kOut), "out\n");
  EXPECT_EQ(client->data(kErr), "err\n");
  EXPECT_THAT(client->data(kError), HasSubstr(R"("causes":[{"reason":"ExitCode","message":"3"}])"));
  EXPECT_TRUE(client->ended(kOut) && client->ended(kErr) && client->ended(kError));
  RemoveAll();
}

TEST_F(Streaming, ExecWithEachProtocolOfSpdy) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  for (const char* protocol : {"channel.k8s.io", "v2.channel.k8s.io", "v3.channel.k8s.io"}) {
    auto good = OpenCommand(ExecUrl(container, {"/bin/echo", "x"}), false, false, protocol);
    EXPECT_TRUE(good->AwaitClose()) << protocol;
    EXPECT_EQ(good->data(kOut), "x\n");
    EXPECT_EQ(good->data(kError), "");
    auto bad = OpenCommand(ExecUrl(container, {"/bin/false"}), false, false, protocol);
    EXPECT_TRUE(bad->AwaitClose()) << protocol;
    EXPECT_EQ(bad->data(kError), "command terminated with non-zero exit code: exit code 1");
  }
  RemoveAll();
}

TEST_F(Streaming, StdinIsHalfClosed) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  auto spdy = OpenCommand(ExecUrl(container, {"/bin/cat"}, true), true);
  spdy->Send(kIn, "one ");
  EXPECT_TRUE(spdy->AwaitText(kOut, "one "));
  spdy->Send(kIn, "two");
  spdy->End(kIn);
  EXPECT_TRUE(spdy->AwaitClose());
  EXPECT_EQ(spdy->data(kOut), "one two");
  EXPECT_EQ(spdy->data(kError), kSuccess);

  WebSocketClient socket(*ExecUrl(container, {"/bin/cat"}, true));
  ASSERT_TRUE(socket.Upgrade("v5.channel.k8s.io"));
  socket.Send(kChannelIn, "through v5");
  EXPECT_TRUE(socket.AwaitText(kChannelOut, "through v5"));
  socket.End(kChannelIn);
  EXPECT_TRUE(socket.AwaitClose());
  EXPECT_EQ(socket.data(kChannelError), kSuccess);
  RemoveAll();
}

TEST_F(Streaming, ExecWithEachProtocolOfWebSockets) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  for (const char* protocol : {"v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io",
                               "channel.k8s.io", "base64.channel.k8s.io", ""}) {
    WebSocketClient client(
        *ExecUrl(container, {"/bin/sh", "-c", "read x; echo got $x; echo err >&2; exit 4"}, true));
    client.base64 = absl::StrContains(protocol, "base64");
    ASSERT_TRUE(client.Upgrade(protocol)) << protocol;
    client.Send(kChannelIn, "words\n");
    EXPECT_TRUE(client.AwaitClose()) << protocol;
    EXPECT_EQ(client.data(kChannelOut), "got words\n") << protocol;
    EXPECT_EQ(client.data(kChannelErr), "err\n") << protocol;
    EXPECT_EQ(absl::StrContains(client.data(kChannelError), R"("message":"4")"), protocol[0] == 'v')
        << protocol;
  }
  RemoveAll();
}

TEST_F(Streaming, TerminalWithResize) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  auto client = OpenCommand(ExecUrl(container, {"/bin/sh"}, true, true), true, true);
  client->Send(kResize, R"({"Width":101,"Height":41})");
  client->Send(kIn, "stty size; tty; echo TERM=$TERM; test -t 2 && echo all\n");
  EXPECT_TRUE(client->AwaitText(kOut, "41 101"));
  EXPECT_TRUE(client->AwaitText(kOut, "TERM=xterm"));
  client->Send(kResize, R"({"Width":77,"Height":22})");
  EXPECT_TRUE(client->AwaitText(kOut, "/dev/pts/"));
  absl::SleepFor(absl::Milliseconds(200));
  client->Send(kIn, "stty size\nexit 5\n");
  EXPECT_TRUE(client->AwaitText(kOut, "22 77"));
  EXPECT_TRUE(client->AwaitClose());
  EXPECT_THAT(client->data(kError), HasSubstr(R"("message":"5")"));
  RemoveAll();
}

TEST_F(Streaming, ExecIsConfinedAsItsContainer) {
  auto pod = RunPod(PodRequest("confined"));
  ASSERT_THAT(pod.status(), IsOk());
  auto request = ContainerRequest(*pod, "main", {"/bin/sleep", "1000"});
  auto* security = request.mutable_config()->mutable_linux()->mutable_security_context();
  security->mutable_run_as_user()->set_value(1234);
  security->set_no_new_privs(true);
  security->mutable_capabilities()->add_drop_capabilities("ALL");
  auto container = Create(request);
  ASSERT_THAT(container.status(), IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  const std::vector<std::string> look = {
      "/bin/sh", "-c",
      "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/self/status; cat "
      "/proc/self/cgroup; "
      "for n in net ipc uts pid mnt cgroup; do readlink /proc/self/ns/$n; done"};
  auto client = OpenCommand(ExecUrl(*container, look));
  EXPECT_TRUE(client->AwaitClose());
  auto main = look;
  main[2] = absl::StrCat("sed 's,self,1,' <<E >/dev/null\nE\n", main[2]);
  for (size_t at = 0; (at = main[2].find("/proc/self", at)) != std::string::npos;) {
    main[2].replace(at, 10, "/proc/1");
  }
  auto of_main = Exec(*container, main);
  ASSERT_THAT(of_main.status(), IsOk());
  EXPECT_EQ(client->data(kOut), of_main->stdout());
  EXPECT_THAT(client->data(kOut), HasSubstr("NoNewPrivs:\t1"));
  RemoveAll();
}

TEST_F(Streaming, ArgumentsPassNoShell) {
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  auto client = OpenCommand(ExecUrl(container, {"/bin/echo", "$HOME;`id`", "a  b", "*"}));
  EXPECT_TRUE(client->AwaitClose());
  EXPECT_EQ(client->data(kOut), "$HOME;`id` a  b *\n");
  auto missing = OpenCommand(ExecUrl(container, {"/no/such/program"}));
  EXPECT_TRUE(missing->AwaitClose());
  EXPECT_THAT(missing->data(kError), HasSubstr("InternalError"));
  RemoveAll();
}

TEST_F(Streaming, AttachSeveralDetachAndAttachAgain) {
  const std::string container = StartContainer(
      {"/bin/sh", "-c", "while read line; do echo got $line; echo err $line >&2; done"}, true);
  auto one = OpenCommand(AttachUrl(container, true, false), true);
  auto two = OpenCommand(AttachUrl(container, false, false));
  WebSocketClient three(*AttachUrl(container, true, false));
  ASSERT_TRUE(three.Upgrade("v5.channel.k8s.io"));
  // Nothing says that a client is attached; what comes before is missed.
  while (!three.AwaitText(kChannelOut, "got a", absl::Milliseconds(200))) one->Send(kIn, "a\n");
  while (!two->AwaitText(kOut, "got b", absl::Milliseconds(200))) three.Send(kChannelIn, "b\n");
  EXPECT_TRUE(two->AwaitText(kErr, "err b"));
  one->Close();
  auto again = OpenCommand(AttachUrl(container, true, false), true);
  while (!again->AwaitText(kOut, "got c", absl::Milliseconds(200))) again->Send(kIn, "c\n");
  EXPECT_TRUE(two->AwaitText(kOut, "got c"));
  EXPECT_THAT(Stop(container, 0), IsOk());
  EXPECT_TRUE(two->AwaitClose());
  EXPECT_EQ(two->data(kError), kSuccess);
  auto status = Status(container);
  ASSERT_THAT(status.status(), IsOk());
  EXPECT_THAT(LogText(*status), HasSubstr("got a\n"));
  RemoveAll();
}

TEST_F(Streaming, StdinOnceEndsTheInput) {
  const std::string container =
      StartContainer({"/bin/sh", "-c", "cat; echo the end; sleep 1"}, true, false, true);
  auto client = OpenCommand(AttachUrl(container, true, false), true);
  client->Send(kIn, "all of it\n");
  client->End(kIn);
  EXPECT_TRUE(client->AwaitClose());
  EXPECT_THAT(client->data(kOut), HasSubstr("the end\n"));
  auto ended = AwaitExit(container);
  ASSERT_THAT(ended.status(), IsOk());
  EXPECT_EQ(LogText(*ended), "all of it\nthe end\n");
  RemoveAll();
}

TEST_F(Streaming, AttachToATerminalWithResize) {
  const std::string container = StartContainer({"/bin/sh"}, true, true);
  auto client = OpenCommand(AttachUrl(container, true, true), true, true);
  client->Send(kResize, R"({"Width":99,"Height":33})");
  client->Send(kIn, "stty size\n");
  EXPECT_TRUE(client->AwaitText(kOut, "33 99"));
  client->Send(kIn, "exit\n");
  EXPECT_TRUE(client->AwaitClose());
  RemoveAll();
}

TEST_F(Streaming, ASlowReaderHoldsUpNobody) {
  const std::string container = StartContainer(
      {"/bin/sh", "-c", "read x; dd if=/dev/zero bs=64k count=640 2>/dev/null; echo done >&2"},
      true);
  auto slow = OpenCommand(AttachUrl(container, true, false), true);
  while (!slow->Send(kIn, "go\n")) {
  }
  auto ended = AwaitExit(container);  // 40 MiB, of which the client has read nothing
  ASSERT_THAT(ended.status(), IsOk());
  EXPECT_EQ(ended->exit_code(), 0);
  RemoveAll();
}

// Echoes what comes on a port of the loopback, many connections at a time. The pods here are on the
// node's network, which is this process's.
class EchoServer {
 public:
  EchoServer(int family, uint16_t port) : listener_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in four = {};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 six = {};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    six.sin6_addr = in6addr_loopback;
    const bool bound =
        family == AF_INET
            ? bind(listener_.get(), reinterpret_cast<sockaddr*>(&four), sizeof(four)) == 0
            : bind(listener_.get(), reinterpret_cast<sockaddr*>(&six), sizeof(six)) == 0;
    listening_ = bound && listen(listener_.get(), 64) == 0;
    accepting_ = std::thread([this] { Accept(); });
  }
  ~EchoServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    accepting_.join();
    for (std::thread& echo : echoes_) echo.join();
  }
  bool listening() const { return listening_; }

 private:
  void Accept() {
    for (;;) {
      const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      echoes_.emplace_back([fd] {
        const base::UniqueFd own(fd);
        char bytes[4096];
        for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;) {
          if (write(fd, bytes, n) != n) return;
        }
      });
    }
  }

  base::UniqueFd listener_;
  bool listening_ = false;
  std::thread accepting_;
  std::vector<std::thread> echoes_;
};

TEST_F(Streaming, ForwardsManyConnections) {
  const EchoServer echo(AF_INET, 18081);
  const EchoServer six(AF_INET6, 18082);
  ASSERT_TRUE(echo.listening());
  if (!six.listening()) GTEST_SKIP() << "this network has no IPv6 loopback";
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  auto url = ForwardUrl();
  ASSERT_THAT(url.status(), IsOk());
  SpdyClient client(*url);
  ASSERT_TRUE(client.Upgrade("portforward.k8s.io"));
  const auto open = [&](uint32_t id, const std::string& port) {
    const std::string request = absl::StrCat(id);
    client.Open(id, {{"streamtype", "error"}, {"port", port}, {"requestid", request}});
    client.Open(id + 2, {{"streamtype", "data"}, {"port", port}, {"requestid", request}});
  };
  // Until the container listens.
  uint32_t id = 1;
  for (bool up = false; !up && id < 400; id += 4) {
    open(id, "18081");
    client.Send(id + 2, "hi");
    up = client.Await(absl::Seconds(2), [&] {
      return client.data(id + 2) == "hi" || !client.data(id).empty();
    }) && client.data(id).empty();
  }
  const uint32_t first = id;
  for (; id < first + 40; id += 4) {
    open(id, "18081");
    client.Send(id + 2, absl::StrCat("text ", id));
  }
  for (uint32_t one = first; one < first + 40; one += 4) {
    EXPECT_TRUE(client.AwaitText(one + 2, absl::StrCat("text ", one))) << client.data(one);
    client.End(one + 2);
  }
  for (uint32_t one = first; one < first + 40; one += 4) {
    EXPECT_TRUE(client.Await(absl::Seconds(10), [&] { return client.ended(one + 2); }));
  }
  open(id, "18082");  // only by IPv6
  client.Send(id + 2, "six");
  EXPECT_TRUE(client.AwaitText(id + 2, "six")) << client.data(id);
  id += 4;
  open(id, "18099");
  EXPECT_TRUE(client.AwaitText(id, "error forwarding port 18099"));
  client.Open(id + 4, {{"streamtype", "data"}, {"port", "0"}, {"requestid", "x"}});
  EXPECT_TRUE(client.Await(absl::Seconds(10), [&] { return client.reset(id + 4); }));
  RemoveAll();
}

TEST_F(Streaming, ForwardsOverWebSockets) {
  const EchoServer echo(AF_INET, 18083);
  ASSERT_TRUE(echo.listening());
  const std::string container = StartContainer({"/bin/sleep", "1000"});
  WebSocketClient plain(*ForwardUrl({18083}));
  ASSERT_TRUE(plain.Upgrade("v4.channel.k8s.io"));
  ASSERT_TRUE(plain.AwaitText(0, std::string("\xa3\x46")));
  ASSERT_TRUE(plain.AwaitText(1, std::string("\xa3\x46")));
  plain.Send(0, "hello");
  EXPECT_TRUE(plain.AwaitText(0, "hello")) << plain.data(1);

  // SPDY in the messages of a WebSocket, as newer kubectls do it.
  WebSocketClient tunnel(*ForwardUrl());
  ASSERT_TRUE(tunnel.Upgrade("SPDY/3.1+portforward.k8s.io"));
  RemoveAll();
}

}  // namespace
}  // namespace bulkhead::test
