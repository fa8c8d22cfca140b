#include "ipc/message.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "absl/status/status.h"
#include "base/fs.h"
#include "ipc/guard.h"
#include "ipc/status_codec.h"
#include "schema/common.capnp.h"

namespace bulkhead::ipc {
namespace {

using base::Deadline;
using base::UniqueFd;

size_t OpenFds() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

Deadline Soon() { return Deadline::After(absl::Seconds(10)); }

class MessageTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<base::FdPair> pair = base::MakeSocketPair(SOCK_STREAM);
    ASSERT_TRUE(pair.ok());
    ours_ = std::move(pair->first);
    peer_ = std::move(pair->second);
    fds_at_start_ = OpenFds();
  }
  void TearDown() override {
    received_ = absl::UnknownError("none");
    EXPECT_EQ(OpenFds(), fds_at_start_ - closed_) << "a descriptor leaked";
  }
  void ClosePeer() {
    peer_.Reset();
    ++closed_;
  }

  // Sends bytes as they are, with count fds, past every check of Send.
  void SendRaw(absl::string_view bytes, int count = 0) {
    std::vector<int> fds(static_cast<size_t>(count), STDERR_FILENO);
    alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
    iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > 0) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      memcpy(CMSG_DATA(head), fds.data(), fds.size() * sizeof(int));
    }
    ASSERT_EQ(sendmsg(peer_.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

  const absl::Status& ReceiveStatus(int max_fds, size_t max_bytes = kMaxMessageBytes) {
    received_ = Receive(ours_.get(), {max_bytes, max_fds}, Soon());
    return received_.status();
  }

  UniqueFd ours_;
  UniqueFd peer_;
  absl::StatusOr<Received> received_ = absl::UnknownError("none");
  size_t fds_at_start_ = 0;
  size_t closed_ = 0;
};

std::string Words(std::initializer_list<uint32_t> values) {
  std::string bytes;
  for (const uint32_t value : values) bytes.append(reinterpret_cast<const char*>(&value), 4);
  return bytes;
}

constexpr uint32_t kMagic = 0x31464842;

std::string Frame(absl::string_view payload, uint32_t fds = 0) {
  std::string frame = Words({kMagic, static_cast<uint32_t>(payload.size()), fds, 0});
  frame.append(payload.data(), payload.size());
  return frame;
}

// A message of one segment with an empty root.
std::string EmptyRoot() { return Words({0, 1, 0, 0}); }

std::string LabelMessage(absl::string_view key) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::Label>().setKey(std::string(key).c_str());
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  return std::string(reinterpret_cast<const char*>(words.begin()), words.size() * 8);
}

TEST_F(MessageTest, CarriesAMessageAndItsDescriptors) {
  absl::StatusOr<UniqueFd> memfd = base::MakeSealedMemfd("m", "content");
  ASSERT_TRUE(memfd.ok());
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::Label>().setKey("app");
  ASSERT_TRUE(Send(peer_.get(), message, {memfd->get(), STDERR_FILENO}, Soon()).ok());
  memfd->Reset();
  ASSERT_TRUE(ReceiveStatus(2).ok()) << received_.status();
  EXPECT_EQ(received_->As<schema::Label>().getKey(), "app");
  ASSERT_EQ(received_->fds().size(), 2u);
  EXPECT_EQ(base::ReadAt(received_->fds()[0].get(), 0, 7).value_or(""), "content");
  EXPECT_EQ(fcntl(received_->fds()[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(MessageTest, CarriesTheLargestAndNoLarger) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::KeyValue>().initValue(kMaxMessageBytes - 4096);
  // More than the socket holds: needs partial writes and reads on both sides.
  std::thread sender([&] { EXPECT_TRUE(Send(peer_.get(), message, {}, Soon()).ok()); });
  EXPECT_TRUE(ReceiveStatus(0).ok()) << received_.status();
  sender.join();
  EXPECT_EQ(received_->As<schema::KeyValue>().getValue().size(), kMaxMessageBytes - 4096);
  capnp::MallocMessageBuilder larger;
  larger.initRoot<schema::KeyValue>().initValue(kMaxMessageBytes);
  EXPECT_TRUE(absl::IsResourceExhausted(Send(peer_.get(), larger, {}, Soon())));
}

TEST_F(MessageTest, HelloIsAHeaderAlone) {
  capnp::MallocMessageBuilder hello;
  ASSERT_TRUE(Send(peer_.get(), hello, {}, Soon()).ok());
  ASSERT_TRUE(ReceiveStatus(0).ok()) << received_.status();
  EXPECT_EQ(received_->As<schema::Status>().getCode(), 0);
  EXPECT_EQ(received_->As<schema::Label>().getKey().size(), 0u);
  EXPECT_EQ(recv(ours_.get(), &fds_at_start_, 1, MSG_DONTWAIT), -1) << "nothing follows";
}

TEST_F(MessageTest, FramesFollowOneAnother) {
  SendRaw(Frame(LabelMessage("one"), 1) , 1);
  SendRaw(Frame(LabelMessage("two")));
  ASSERT_TRUE(ReceiveStatus(1).ok()) << received_.status();
  EXPECT_EQ(received_->As<schema::Label>().getKey(), "one");
  ASSERT_TRUE(ReceiveStatus(0).ok()) << received_.status();
  EXPECT_EQ(received_->As<schema::Label>().getKey(), "two");
}

TEST_F(MessageTest, ByteByByte) {
  const std::string frame = Frame(LabelMessage("slow"), 1);
  std::thread sender([&] {
    for (size_t i = 0; i < frame.size(); ++i) SendRaw(frame.substr(i, 1), i == 3 ? 1 : 0);
  });
  ASSERT_TRUE(ReceiveStatus(1).ok()) << received_.status();
  sender.join();
  EXPECT_EQ(received_->As<schema::Label>().getKey(), "slow");
}

TEST_F(MessageTest, CountsDescriptorsExactly) {
  struct Case {
    uint32_t announced;
    int sent;
    int allowed;
    bool ok;
  };
  const Case cases[] = {{0, 0, 0, true},   {1, 1, 1, true},   {1, 1, 5, true},  {kMaxFds, kMaxFds, kMaxFds, true},
                        {0, 1, 0, false},  {0, 1, 1, false},  {1, 2, 1, false}, {1, 2, 2, false},
                        {2, 1, 2, false},  {1, 0, 1, false},  {1, 1, 0, false}, {2, 2, 1, false},
                        {64, 65, 64, false}, {64, 253, 64, false}, {65, 65, 64, false},
                        {kMaxFds + 1, kMaxFds + 1, kMaxFds + 1, false},
                        {0xffffffff, 1, 1, false}};
  for (const Case& c : cases) {
    const size_t before = OpenFds();
    SendRaw(Frame(EmptyRoot(), c.announced), c.sent);
    const absl::Status status = ReceiveStatus(c.allowed);
    EXPECT_EQ(status.ok(), c.ok) << c.announced << " " << c.sent << " " << status;
    if (!c.ok) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_EQ(OpenFds(), before) << c.announced << " " << c.sent;
    }
    received_ = absl::UnknownError("none");
    // A violation ends a connection; here the rest of it is dropped.
    char rest[4096];
    while (recv(ours_.get(), rest, sizeof(rest), MSG_DONTWAIT) > 0) {
    }
    EXPECT_EQ(OpenFds(), before);
  }
}

TEST_F(MessageTest, DescriptorsComeWithTheHeaderOnly) {
  SendRaw(Words({kMagic, 16, 1, 0}));
  SendRaw(EmptyRoot(), 1);
  EXPECT_TRUE(absl::IsDataLoss(ReceiveStatus(1))) << received_.status();
}

TEST_F(MessageTest, SurplusWithThePayload) {
  SendRaw(Words({kMagic, 16, 1, 0}), 1);
  SendRaw(EmptyRoot(), 1);
  EXPECT_TRUE(absl::IsDataLoss(ReceiveStatus(2))) << received_.status();
}

TEST_F(MessageTest, RefusesBadFrames) {
  const std::string cases[] = {
      Words({kMagic + 1, 16, 0, 0}) + EmptyRoot(),
      Words({kMagic, 16, 0, 1}) + EmptyRoot(),
      Words({kMagic, 12, 0, 0}) + EmptyRoot(),
      Words({kMagic, 0xffffffff, 0, 0}),
      Words({kMagic, 0xfffffff8, 0, 0}),
      Words({kMagic, kMaxMessageBytes + 8, 0, 0}),
      Frame(Words({0xffffffff, 0})),
      Frame(Words({0, 0})),
      Frame(Words({0, 2, 0, 0})),
  };
  for (const std::string& bytes : cases) {
    SendRaw(bytes);
    EXPECT_TRUE(absl::IsDataLoss(ReceiveStatus(0))) << received_.status();
    char rest[4096];
    while (recv(ours_.get(), rest, sizeof(rest), MSG_DONTWAIT) > 0) {
    }
  }
  SendRaw(Frame(LabelMessage(std::string(200, 'x'))));
  EXPECT_TRUE(absl::IsDataLoss(ReceiveStatus(0, 128))) << "the caller's own limit";
}

TEST_F(MessageTest, PeerGone) {
  ClosePeer();
  EXPECT_TRUE(absl::IsUnavailable(ReceiveStatus(0))) << received_.status();
  capnp::MallocMessageBuilder hello;
  EXPECT_TRUE(absl::IsUnavailable(Send(ours_.get(), hello, {}, Soon())));
}

TEST_F(MessageTest, PeerGoneInAFrame) {
  SendRaw(Frame(EmptyRoot(), 1).substr(0, 20), 1);
  ClosePeer();
  EXPECT_TRUE(absl::IsDataLoss(ReceiveStatus(1))) << received_.status();
}

TEST_F(MessageTest, PeerGoneBetweenHeaderAndPayload) {
  SendRaw(Frame(EmptyRoot()).substr(0, 16));
  ClosePeer();
  EXPECT_TRUE(absl::IsDataLoss(ReceiveStatus(0))) << received_.status();
}

TEST_F(MessageTest, DeadlineOfReceive) {
  const absl::Duration patience = absl::Milliseconds(50);
  const absl::Time start = absl::Now();
  received_ = Receive(ours_.get(), {}, Deadline::After(patience));
  EXPECT_TRUE(absl::IsDeadlineExceeded(received_.status())) << received_.status();
  EXPECT_GE(absl::Now() - start, patience);
  // In the middle of a frame too, on a socket that does not block.
  ASSERT_EQ(fcntl(ours_.get(), F_SETFL, O_NONBLOCK), 0);
  SendRaw(Frame(EmptyRoot()).substr(0, 17));
  received_ = Receive(ours_.get(), {}, Deadline::After(patience));
  EXPECT_TRUE(absl::IsDeadlineExceeded(received_.status())) << received_.status();
}

TEST_F(MessageTest, DeadlineOfSend) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::KeyValue>().initValue(kMaxMessageBytes / 2);
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      Send(peer_.get(), message, {}, Deadline::After(absl::Milliseconds(50)))));
}

absl::Status Check(const std::string& bytes) {
  // A copy of the exact size, so that a sanitizer sees a read past its end.
  const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  return CheckSegmentTable(exact);
}

TEST(CheckSegmentTable, IsExact) {
  EXPECT_TRUE(Check(EmptyRoot()).ok());
  EXPECT_TRUE(Check(LabelMessage("x")).ok());
  EXPECT_TRUE(Check(Words({1, 1, 1, 0, 0, 0, 0, 0})).ok());
  const std::string bad[] = {
      "",
      std::string(3, '\0'),
      std::string("\xff\xff\xff\xff\0\0\0\0", 8),  // the count wraps to 0 in 32 bits
      Words({0xfffffffe, 0}),
      Words({511, 1}) + std::string(513 * 4 + 512 * 8, '\0'),  // 512 segments
      Words({16}) + std::string(17 * 4 + 17 * 8, '\0'),
      Words({0}),
      Words({0, 0}),
      Words({0, 1}),
      Words({0, 1, 0}),
      Words({0, 1, 0, 0, 0, 0}),
      Words({0, 0xffffffff, 0, 0}),
      Words({1, 0xffffffff, 2, 0, 0, 0}),  // sums to 1 in 32 bits
      Words({2, 1}),
      EmptyRoot() + "x",
  };
  for (const std::string& bytes : bad) EXPECT_TRUE(absl::IsDataLoss(Check(bytes))) << bytes.size();
}

TEST(Guarded, TurnsABadPointerIntoAStatus) {
  // A root pointer that leads far outside.
  auto words = kj::heapArray<capnp::word>(2);
  const uint32_t bytes[] = {0, 1, 0x1000, 1};
  memcpy(words.begin(), bytes, sizeof(bytes));
  Received received(kj::mv(words), {});
  const absl::Status status =
      Guarded([&] { EXPECT_EQ(received.As<schema::Label>().getKey(), "unreachable"); });
  EXPECT_EQ(status, absl::DataLossError("malformed message"));
  EXPECT_EQ(Guarded([] { return absl::NotFoundError("x"); }), absl::NotFoundError("x"));
  EXPECT_TRUE(Guarded([] {}).ok());
}

TEST(Guarded, TurnsABadListIntoAStatus) {
  // A list that claims 2^29 elements without size.
  auto words = kj::heapArray<capnp::word>(3);
  const uint32_t bytes[] = {0, 2, 0, 0x10000, 1, 0xfffffff8};
  memcpy(words.begin(), bytes, sizeof(bytes));
  Received received(kj::mv(words), {});
  EXPECT_TRUE(absl::IsDataLoss(Guarded([&] {
    (void)received.As<schema::UserIds>().getAdditionalGids().size();
  })));
}

TEST(StatusCodec, RoundTrip) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "what: why");
    capnp::MallocMessageBuilder message;
    WriteStatus(status, message.initRoot<schema::Status>());
    EXPECT_EQ(message.getRoot<schema::Status>().getCode(), code);
    EXPECT_EQ(ReadStatus(message.getRoot<schema::Status>().asReader()), status);
  }
}

TEST(StatusCodec, UnknownCodesAndLongMessages) {
  capnp::MallocMessageBuilder message;
  auto wire = message.initRoot<schema::Status>();
  for (const int code : {17, 20, 0xffff}) {
    wire.setCode(static_cast<uint16_t>(code));
    EXPECT_TRUE(absl::IsUnknown(ReadStatus(wire.asReader())));
  }
  // 4096 falls inside the last two-byte letter, which goes as a whole.
  const std::string text = std::string(4095, 'x') + "\xc3\xa4";
  WriteStatus(absl::InternalError(text), wire);
  EXPECT_EQ(wire.getMessage().size(), 4095u);
  wire.setMessage(std::string(5000, 'y').c_str());
  EXPECT_EQ(ReadStatus(wire.asReader()).message().size(), 4096u);
  WriteStatus(absl::OkStatus(), wire);
  EXPECT_EQ(wire.getMessage().size(), 0u);
}

}  // namespace
}  // namespace bulkhead::ipc
