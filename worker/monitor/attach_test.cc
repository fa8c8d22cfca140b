#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "worker/monitor/attachments.h"

namespace bulkhead::monitor {
namespace {

using ipc::AttachTag;

// Attachments with the part of the monitor's loop that concerns them. What the container would read
// is container_.
class AttachTest : public testing::Test {
 protected:
  void SetUp() override { signal(SIGPIPE, SIG_IGN); }

  void Begin(bool tty, bool once) {
    if (tty) {
      int master = -1, slave = -1;
      ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
      attachments_.emplace(base::UniqueFd(master), true, once);
      container_.Reset(slave);
    } else {
      base::FdPair pipe = *base::MakePipe();
      attachments_.emplace(std::move(pipe.second), false, once);
      container_ = std::move(pipe.first);
    }
    epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
    attachments_->SetEpoll(epoll_.get());
  }

  base::UniqueFd Attach(bool in = true, bool out = true, bool err = true) {
    base::FdPair pair = *base::MakeSocketPair(SOCK_SEQPACKET);
    attachments_->Add(std::move(pair.first), {in, out, err});
    return std::move(pair.second);
  }

  // Handles what epoll has until there is nothing. False: it never becomes quiet.
  bool Settle() {
    for (int round = 0; round < 100; ++round) {
      epoll_event events[8];
      const int count = epoll_wait(epoll_.get(), events, 8, 0);
      if (count <= 0) return true;
      for (int i = 0; i < count; ++i) {
        if (events[i].data.u64 == Attachments::kInputTag) {
          attachments_->FlushInput();
        } else {
          attachments_->ReadClient(events[i].data.u64);
        }
      }
      attachments_->DropClosed();
    }
    return false;
  }

  static bool Give(const base::UniqueFd& client, AttachTag tag, const std::string& bytes) {
    const std::string packet = std::string(1, static_cast<char>(tag)) + bytes;
    return send(client.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
  }
  // One packet; "closed" and "none" where there is none.
  static std::string Take(const base::UniqueFd& client) {
    std::string packet(1 + ipc::kMaxAttachOutput, '\0');
    const ssize_t got = recv(client.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got <= 0) return got == 0 ? "closed" : "none";
    packet.resize(static_cast<size_t>(got));
    return packet;
  }
  std::string ContainerReads(size_t most = 4096) {
    fcntl(container_.get(), F_SETFL, O_NONBLOCK);
    std::string text(most, '\0');
    const ssize_t got = read(container_.get(), text.data(), text.size());
    if (got <= 0) return got == 0 ? "end" : "none";
    text.resize(static_cast<size_t>(got));
    return text;
  }

  std::optional<Attachments> attachments_;
  base::UniqueFd container_, epoll_;
};

TEST_F(AttachTest, OutputGoesToAllWhoAskedForIt) {
  Begin(false, false);
  base::UniqueFd one = Attach(), two = Attach(false, true, false);
  attachments_->Send(AttachTag::kStdout, "out");
  attachments_->Send(AttachTag::kStderr, "err");
  EXPECT_EQ(Take(one), "\1out");
  EXPECT_EQ(Take(one), "\2err");
  EXPECT_EQ(Take(two), "\1out");
  EXPECT_EQ(Take(two), "none");
  attachments_->CloseAll();
  EXPECT_EQ(Take(one), "closed");
}

TEST_F(AttachTest, ASlowClientLosesOutputAndNobodyWaits) {
  Begin(false, false);
  base::UniqueFd slow = Attach(), quick = Attach();
  const std::string chunk(ipc::kMaxAttachOutput, 'x');
  for (int i = 0; i < 200; ++i) {
    attachments_->Send(AttachTag::kStdout, chunk);
    EXPECT_EQ(Take(quick).size(), chunk.size() + 1);
  }
  int taken = 0;
  while (Take(slow).size() == chunk.size() + 1) ++taken;
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, 200);
  attachments_->Send(AttachTag::kStdout, "again");
  EXPECT_EQ(Take(slow), "\1again");
}

TEST_F(AttachTest, InputOfSeveralGoesInAndStaysOpenAfterThem) {
  Begin(false, false);
  base::UniqueFd one = Attach(), two = Attach(), deaf = Attach(false);
  EXPECT_TRUE(Give(one, AttachTag::kStdin, "a"));
  EXPECT_TRUE(Settle());
  EXPECT_TRUE(Give(two, AttachTag::kStdin, "b"));
  EXPECT_TRUE(Give(deaf, AttachTag::kStdin, "c"));
  EXPECT_TRUE(Settle());
  EXPECT_EQ(ContainerReads(), "ab");
  Give(one, AttachTag::kEnd, "");
  two.Reset();
  EXPECT_TRUE(Settle());
  EXPECT_EQ(ContainerReads(), "none");
}

TEST_F(AttachTest, StdinOnceEndsWithTheFirstClient) {
  Begin(false, true);
  base::UniqueFd client = Attach();
  EXPECT_TRUE(Give(client, AttachTag::kStdin, "last"));
  EXPECT_TRUE(Give(client, AttachTag::kEnd, ""));
  EXPECT_TRUE(Settle());
  EXPECT_EQ(ContainerReads(), "last");
  EXPECT_EQ(ContainerReads(), "end");
  attachments_->Send(AttachTag::kStdout, "still");
  EXPECT_EQ(Take(client), "\1still");
}

TEST_F(AttachTest, TheEndOfAClientsInputDetachesIt) {
  for (const auto& [tty, once] : {std::pair(false, false), {true, false}, {true, true}}) {
    Begin(tty, once);
    base::UniqueFd client = Attach(), other = Attach(), watcher = Attach(false);
    attachments_->Send(AttachTag::kStdout, "before");
    EXPECT_TRUE(Give(client, AttachTag::kStdin, "all\n"));
    EXPECT_TRUE(Give(client, AttachTag::kEnd, ""));
    EXPECT_TRUE(Give(watcher, AttachTag::kEnd, ""));
    EXPECT_TRUE(Settle());
    EXPECT_EQ(Take(client), "\1before");
    EXPECT_EQ(Take(client), "closed");
    EXPECT_EQ(ContainerReads(), "all\n");
    attachments_->Send(AttachTag::kStdout, "after");
    for (const base::UniqueFd* one : {&other, &watcher}) {
      EXPECT_EQ(Take(*one), "\1before");
      EXPECT_EQ(Take(*one), "\1after");
    }
    attachments_.reset();
  }
}

TEST_F(AttachTest, ContainerThatDoesNotReadHoldsOnePacketAndLosesNone) {
  Begin(false, true);
  base::UniqueFd client = Attach();
  const std::string packet(ipc::kMaxAttachInput, 'i');
  size_t given = 0, read = 0;
  for (int round = 0; round < 1000 && given < 200; ++round) {
    while (given < 200 && Give(client, AttachTag::kStdin, packet)) ++given;
    ASSERT_TRUE(Settle()) << "busy while the container does not read";
    for (std::string text = ContainerReads(1000); text != "none"; text = ContainerReads(1000)) {
      read += text.size();
    }
  }
  client.Reset();
  for (std::string text; text != "end"; text = ContainerReads()) {
    if (text != "none") read += text.size();
    ASSERT_TRUE(Settle());
  }
  EXPECT_EQ(read, 200 * packet.size());
}

TEST_F(AttachTest, ResizesATerminal) {
  Begin(true, false);
  base::UniqueFd client = Attach();
  const ipc::AttachSize size = {.columns = 123, .rows = 45};
  EXPECT_TRUE(
      Give(client, AttachTag::kResize, {reinterpret_cast<const char*>(&size), sizeof(size)}));
  EXPECT_TRUE(Settle());
  winsize window = {};
  ASSERT_EQ(ioctl(container_.get(), TIOCGWINSZ, &window), 0);
  EXPECT_EQ(window.ws_col, 123);
  EXPECT_EQ(window.ws_row, 45);
}

TEST_F(AttachTest, TurnsAwayTooManyAndForgetsThoseWhoLeave) {
  Begin(false, false);
  for (int i = 0; i < 10000; ++i) {
    Attach();
    ASSERT_TRUE(Settle());
  }
  std::vector<base::UniqueFd> many;
  for (size_t i = 0; i < Attachments::kMost; ++i) many.push_back(Attach());
  EXPECT_EQ(Take(many.back()), "none");
  EXPECT_EQ(Take(Attach()), "closed");
}

TEST_F(AttachTest, HangsUpOnWhatNoClientMaySend) {
  Begin(false, false);
  base::UniqueFd wrong = Attach(), longer = Attach();
  EXPECT_TRUE(Give(wrong, AttachTag::kStdout, "x"));
  EXPECT_TRUE(Give(longer, AttachTag::kStdin, std::string(ipc::kMaxAttachInput + 1, 'x')));
  EXPECT_TRUE(Settle());
  EXPECT_EQ(Take(wrong), "closed");
  EXPECT_EQ(Take(longer), "closed");
  EXPECT_EQ(ContainerReads(), "none");
}

}  // namespace
}  // namespace bulkhead::monitor
