#include "ipc/frame_gate.h"

#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <capnp/serialize-async.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <sys/socket.h>

#include <cstring>

#include "ipc/async_waiter.h"
#include "schema/common.capnp.h"

namespace bulkhead::ipc {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Words(std::initializer_list<uint32_t> values) {
  Bytes bytes(values.size() * 4);
  memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

Bytes Message(unsigned value_bytes) {
  // A small first segment, so that the value gets one of its own.
  capnp::MallocMessageBuilder message(4, capnp::AllocationStrategy::FIXED_SIZE);
  message.initRoot<schema::KeyValue>().initValue(value_bytes);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const uint8_t* begin = reinterpret_cast<const uint8_t*>(words.begin());
  return Bytes(begin, begin + words.size() * 8);
}

Bytes Stream() {
  Bytes all;
  for (const unsigned size : {0u, 1u, 100u, 5000u}) {
    const Bytes message = Message(size);
    all.insert(all.end(), message.begin(), message.end());
  }
  return all;
}

TEST(FrameGate, PassesGoodMessagesWhole) {
  const Bytes stream = Stream();
  for (const size_t chunk : {size_t{1}, size_t{3}, size_t{8}, size_t{17}, stream.size()}) {
    FrameGate gate(64 << 10);
    Bytes out;
    for (size_t i = 0; i < stream.size(); i += chunk) {
      const size_t count = std::min(chunk, stream.size() - i);
      ASSERT_TRUE(gate.Feed({stream.data() + i, count}, &out).ok()) << chunk << " " << i;
    }
    EXPECT_EQ(out, stream) << chunk;
  }
}

TEST(FrameGate, RefusesBadTablesInAnyPieces) {
  const Bytes bad[] = {
      Words({0xffffffff, 0}),           // the count wraps to 0 in 32 bits
      Words({511, 1}),                  // 512 segments
      Words({16, 1}),                   // 17
      Words({0, 0}),                    // no root
      Words({0, 8192}),                 // 64 KiB and its table
      Words({0, 0xffffffff}),
      Words({1, 0xffffffff, 2, 0}),     // sums to 1 in 32 bits
  };
  for (const Bytes& bytes : bad) {
    for (const size_t chunk : {size_t{1}, size_t{4}, bytes.size()}) {
      FrameGate gate(64 << 10);
      Bytes out;
      const Bytes good = Message(100);
      ASSERT_TRUE(gate.Feed(good, &out).ok());
      absl::Status status;
      for (size_t i = 0; i < bytes.size() && status.ok(); i += chunk) {
        status = gate.Feed({bytes.data() + i, std::min(chunk, bytes.size() - i)}, &out);
      }
      EXPECT_TRUE(absl::IsDataLoss(status)) << chunk;
      EXPECT_EQ(out, good) << "nothing of the bad table was passed on";
      EXPECT_FALSE(gate.Feed(good, &out).ok()) << "it stays shut";
      EXPECT_EQ(out, good);
    }
  }
}

TEST(FrameGate, LongestMessage) {
  FrameGate gate(64 << 10);
  Bytes out;
  EXPECT_TRUE(gate.Feed(Words({0, 8191}), &out).ok());
}

class GatedStreamTest : public testing::Test {
 protected:
  ~GatedStreamTest() noexcept override = default;
  GatedStreamTest() : io_(kj::setupAsyncIo()), pipe_(io_.provider->newTwoWayPipe()) {
    gated_ = GatedStream(kj::mv(pipe_.ends[0]), 64 << 10,
                         [this](absl::Status status) { violations_.push_back(status); });
  }
  kj::AsyncIoContext io_;
  kj::TwoWayPipe pipe_;
  kj::Own<kj::AsyncIoStream> gated_;
  std::vector<absl::Status> violations_;
};

TEST_F(GatedStreamTest, MessagesGoBothWays) {
  const Bytes stream = Stream();
  pipe_.ends[1]->write(stream.data(), stream.size()).wait(io_.waitScope);
  for (const unsigned size : {0u, 1u, 100u, 5000u}) {
    auto message = capnp::readMessage(*gated_).wait(io_.waitScope);
    EXPECT_EQ(message->getRoot<schema::KeyValue>().getValue().size(), size);
  }
  gated_->write("hello", 5).wait(io_.waitScope);
  char text[5];
  pipe_.ends[1]->read(text, 5).wait(io_.waitScope);
  EXPECT_EQ(memcmp(text, "hello", 5), 0);
  pipe_.ends[1]->shutdownWrite();
  EXPECT_EQ(gated_->tryRead(text, 1, 5).wait(io_.waitScope), 0u);
  EXPECT_TRUE(violations_.empty());
}

TEST_F(GatedStreamTest, AViolationEndsItOnce) {
  Bytes bytes = Message(10);
  const Bytes bad = Words({0xffffffff, 0});
  pipe_.ends[1]->write(bytes.data(), bytes.size()).wait(io_.waitScope);
  (void)capnp::readMessage(*gated_).wait(io_.waitScope);
  pipe_.ends[1]->write(bad.data(), bad.size()).wait(io_.waitScope);
  EXPECT_TRUE(capnp::tryReadMessage(*gated_).wait(io_.waitScope) == nullptr);
  EXPECT_EQ(violations_.size(), 1u);
  pipe_.ends[1]->write(bytes.data(), bytes.size()).wait(io_.waitScope);
  char byte;
  EXPECT_EQ(gated_->tryRead(&byte, 1, 1).wait(io_.waitScope), 0u);
  EXPECT_EQ(violations_.size(), 1u);
}

TEST_F(GatedStreamTest, RpcTakesAViolationAsADisconnect) {
  capnp::TwoPartyVatNetwork network(*gated_, capnp::rpc::twoparty::Side::SERVER);
  auto rpc = capnp::makeRpcServer(network, capnp::Capability::Client(nullptr));
  const Bytes bad = Words({0xffffffff, 0});
  pipe_.ends[1]->write(bad.data(), bad.size()).wait(io_.waitScope);
  network.onDisconnect().wait(io_.waitScope);
  EXPECT_EQ(violations_.size(), 1u);
}

class AsyncWaiterTest : public testing::Test {
 protected:
  ~AsyncWaiterTest() noexcept override = default;
  AsyncWaiterTest() : io_(kj::setupAsyncIo()) {
    absl::StatusOr<base::FdPair> pair = base::MakeSocketPair(SOCK_STREAM);
    EXPECT_TRUE(pair.ok());
    ours_ = std::move(pair->first);
    peer_ = std::move(pair->second);
  }
  kj::Promise<absl::Status> InFiber(std::function<absl::Status(Waiter&)> body) {
    return kj::startFiber(64 << 10, [this, body](kj::WaitScope& fiber) {
      AsyncWaiter waiter(io_.unixEventPort, fiber, io_.provider->getTimer());
      return body(waiter);
    });
  }
  kj::AsyncIoContext io_;
  base::UniqueFd ours_;
  base::UniqueFd peer_;
};

base::Deadline After(int milliseconds) {
  return base::Deadline::After(absl::Milliseconds(milliseconds));
}

TEST_F(AsyncWaiterTest, FramesBetweenFibers) {
  // Larger than the socket's buffer, many times: the same fd is watched again and again.
  constexpr int kRounds = 20;
  auto sender = InFiber([this](Waiter& waiter) {
    for (int i = 0; i < kRounds; ++i) {
      capnp::MallocMessageBuilder message;
      message.initRoot<schema::KeyValue>().initValue(kMaxMessageBytes - 4096);
      absl::Status sent = Send(peer_.get(), message, {}, After(10000), waiter);
      if (!sent.ok()) return sent;
    }
    return absl::OkStatus();
  });
  auto receiver = InFiber([this](Waiter& waiter) {
    for (int i = 0; i < kRounds; ++i) {
      absl::StatusOr<Received> got = Receive(ours_.get(), {}, After(10000), waiter);
      if (!got.ok()) return got.status();
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(receiver.wait(io_.waitScope).ok());
  EXPECT_TRUE(sender.wait(io_.waitScope).ok());
}

TEST_F(AsyncWaiterTest, ReadyAlreadyAndPeerGone) {
  auto status = InFiber([this](Waiter& waiter) {
    absl::Status writable = waiter.Writable(ours_.get(), base::Deadline::Never());
    if (!writable.ok()) return writable;
    peer_.Reset();
    return waiter.Readable(ours_.get(), base::Deadline::Never());
  }).wait(io_.waitScope);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(AsyncWaiterTest, Deadline) {
  const absl::Time start = absl::Now();
  auto wait = InFiber([this](Waiter& waiter) { return waiter.Readable(ours_.get(), After(50)); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(wait.wait(io_.waitScope)));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(50));
}

TEST_F(AsyncWaiterTest, ACancelledFiberLetsGoOfTheFd) {
#ifdef BULKHEAD_SANITIZED
  GTEST_SKIP() << "the distribution's kj does not tell the sanitizer about a fiber's stack";
#endif
  {
    auto wait = InFiber(
        [this](Waiter& waiter) { return waiter.Readable(ours_.get(), base::Deadline::Never()); });
    EXPECT_FALSE(wait.poll(io_.waitScope));
  }
  auto again = InFiber([this](Waiter& waiter) { return waiter.Readable(ours_.get(), After(20)); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(again.wait(io_.waitScope)));
}

}  // namespace
}  // namespace bulkhead::ipc
