// Who may connect, how often, and what bytes that are no gRPC do.
#include "frontend/accept.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "cri/v1/api.grpc.pb.h"
#include "frontend/testing/harness.h"

namespace bulkhead::frontend {
namespace {

constexpr uid_t kSomebody = 54321;

enum Outcome { kServed = 10, kClosed = 11, kSilent = 12, kBroken = 13 };

// gRPC sends its SETTINGS as soon as it has a connection; a refused peer reads an end at once.
Outcome Watch(int fd) {
  pollfd entry = {fd, POLLIN, 0};
  if (poll(&entry, 1, 5000) != 1) return kSilent;
  char byte;
  const ssize_t got = read(fd, &byte, 1);
  if (got > 0) return kServed;
  return got == 0 || errno == ECONNRESET ? kClosed : kBroken;
}

// Connects as another user, from a child that only makes system calls.
int ConnectAs(uid_t uid, const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const pid_t child = fork();
  if (child == 0) {
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) _exit(kBroken);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      _exit(kBroken);
    }
    _exit(Watch(fd));
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return kBroken;
  return WEXITSTATUS(status);
}

bool Works(Harness& harness) {
  auto stub = runtime::v1::RuntimeService::NewStub(harness.Connect());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  runtime::v1::VersionResponse response;
  return stub->Version(&context, runtime::v1::VersionRequest(), &response).ok();
}

TEST(Accept, APeerOfAnotherUserIsClosedUnread) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can connect as somebody else";
  Harness harness;
  EXPECT_EQ(kClosed, ConnectAs(kSomebody, harness.path()));
  EXPECT_EQ(kServed, ConnectAs(0, harness.path()));
  EXPECT_TRUE(Works(harness));
}

TEST(Accept, AUserOnTheListIsServed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can connect as somebody else";
  Harness harness({.allowed_uids = {kSomebody}});
  EXPECT_EQ(kServed, ConnectAs(kSomebody, harness.path()));
  EXPECT_EQ(kClosed, ConnectAs(kSomebody + 1, harness.path()));
}

TEST(Accept, ConnectionsAreCountedWhileTheyLast) {
  if (geteuid() != 0) GTEST_SKIP() << "the peer must be root";
  Harness harness({.max_connections = 3});
  std::vector<base::UniqueFd> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(harness.ConnectRaw());
    ASSERT_EQ(kServed, Watch(open.back().get()));
  }
  EXPECT_EQ(kClosed, Watch(harness.ConnectRaw().get()));
  open.pop_back();
  // gRPC sees the end of a connection on another thread.
  Outcome outcome = kClosed;
  for (int i = 0; i < 100 && outcome != kServed; ++i) {
    absl::SleepFor(absl::Milliseconds(50));
    const base::UniqueFd again = harness.ConnectRaw();
    outcome = Watch(again.get());
  }
  EXPECT_EQ(kServed, outcome);
}

TEST(Accept, BytesThatAreNoGrpcEndTheirConnectionOnly) {
  if (geteuid() != 0) GTEST_SKIP() << "the peer must be root";
  Harness harness;
  const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const std::string attacks[] = {
      "GET / HTTP/1.1\r\n\r\n", std::string(64 << 10, '\0'), std::string(64 << 10, '\xff'),
      // A frame of 16 MiB of no known kind; headers that break off in HPACK.
      kPreface + std::string(9, '\xff'),
      kPreface + std::string("\0\0\4\1\4\0\0\0\1\xff\xff\xff\xff", 13)};
  for (const std::string& attack : attacks) {
    const base::UniqueFd fd = harness.ConnectRaw();
    ASSERT_EQ(static_cast<ssize_t>(attack.size()),
              send(fd.get(), attack.data(), attack.size(), MSG_NOSIGNAL));
    EXPECT_TRUE(Works(harness));
  }
}

// Many connections that open and reset streams as fast as they can (CVE-2023-44487).
TEST(Accept, RapidResetsLeaveOthersServed) {
  if (geteuid() != 0) GTEST_SKIP() << "the peer must be root";
  Harness harness;
  std::string attack = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  attack += std::string("\0\0\0\4\0\0\0\0\0", 9);  // SETTINGS
  for (uint32_t stream = 1; stream < 2000; stream += 2) {
    const char id[] = {0, 0, static_cast<char>(stream >> 8), static_cast<char>(stream)};
    attack += std::string("\0\0\3\1\4", 5) + std::string(id, 4) + "\x83\x86\x84";  // POST http /
    attack += std::string("\0\0\4\3\0", 5) + std::string(id, 4) + std::string("\0\0\0\x8", 4);
  }
  std::vector<base::UniqueFd> attackers;
  for (int i = 0; i < 16; ++i) {
    attackers.push_back(harness.ConnectRaw());
    send(attackers.back().get(), attack.data(), attack.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  EXPECT_TRUE(Works(harness));
}

}  // namespace
}  // namespace bulkhead::frontend
