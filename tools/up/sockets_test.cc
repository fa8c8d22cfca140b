#include "tools/up/sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace bulkhead::tools {
namespace {

class Sockets : public ::testing::Test {
 protected:
  Sockets() {
    char name[] = "/tmp/sockets-test-XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~Sockets() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(Sockets, ListensAndReplacesStale) {
  std::string path = dir_ + "/s";
  for (int round = 0; round < 2; ++round) {
    absl::StatusOr<base::UniqueFd> fd = ListenAt(path, 0660);
    ASSERT_TRUE(fd.ok()) << fd.status();
    struct stat st;
    ASSERT_EQ(stat(path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0660u);
  }
}

TEST_F(Sockets, LeavesOtherFilesAlone) {
  std::ofstream(dir_ + "/f") << "x";
  EXPECT_EQ(ListenAt(dir_ + "/f", 0660).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ListenAt(dir_ + "/" + std::string(200, 'x'), 0660).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// In a child, as the number of the descriptor is given. Its exit status: 0 taken, 1 none, 2
// refused.
int Take(int handed, const std::string& path, const char* count, pid_t pid_offset = 0) {
  const pid_t child = fork();
  if (child == 0) {
    if (handed >= 0) dup2(handed, 3);
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_PID", std::to_string(getpid() + pid_offset).c_str(), 1);
    absl::StatusOr<base::UniqueFd> fd = TakeHandedSocket(path);
    if (getenv("LISTEN_FDS") != nullptr) _exit(3);
    if (fd.ok() && *fd && (fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) == 0) _exit(4);
    _exit(!fd.ok() ? 2 : *fd ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST_F(Sockets, TakesTheManagersSocketAndNoOther) {
  const std::string path = dir_ + "/s";
  absl::StatusOr<base::UniqueFd> listening = ListenAt(path, 0660);
  ASSERT_TRUE(listening.ok());
  EXPECT_EQ(Take(listening->get(), path, "1"), 0);
  EXPECT_EQ(Take(listening->get(), path, "1", 1), 1) << "another process's";
  EXPECT_EQ(Take(listening->get(), path, "0"), 1);
  EXPECT_EQ(Take(listening->get(), path, "2"), 2);
  EXPECT_EQ(Take(listening->get(), dir_ + "/t", "1"), 2) << "another path";
  absl::StatusOr<base::UniqueFd> connected = ConnectTo(path);
  ASSERT_TRUE(connected.ok());
  EXPECT_EQ(Take(connected->get(), path, "1"), 2) << "does not listen";
}

TEST_F(Sockets, SendsFd) {
  absl::StatusOr<base::FdPair> pair = base::MakeSocketPair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair.ok());
  ASSERT_TRUE(SendFd(pair->first.get(), 'F', 2).ok());
  char byte = 0;
  iovec data = {&byte, 1};
  char control[64];
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ASSERT_EQ(recvmsg(pair->second.get(), &message, MSG_CMSG_CLOEXEC), 1);
  EXPECT_EQ(byte, 'F');
  ASSERT_NE(CMSG_FIRSTHDR(&message), nullptr);
  int fd = -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  base::UniqueFd own(fd);
  pair->second.Reset();
  EXPECT_EQ(SendFd(pair->first.get(), 'F', 2).code(), absl::StatusCode::kUnavailable);
}

TEST_F(Sockets, Notifies) {
  std::string path = dir_ + "/notify";
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path.c_str());
  base::UniqueFd manager(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(manager.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  NotifyManager("READY=1");
  unsetenv("NOTIFY_SOCKET");
  char buffer[32];
  ssize_t n = recv(manager.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
  EXPECT_EQ(std::string(buffer, n < 0 ? 0 : n), "READY=1");
}

}  // namespace
}  // namespace bulkhead::tools
