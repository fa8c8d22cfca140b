#include "auditor/serve.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <csignal>
#include <thread>

#include "audit/testing.h"
#include "ipc/audit_protocol.h"

namespace bulkhead::auditor {
namespace {

using audit::Verdict;

class ServeTest : public audit::LogTest {
 protected:
  void SetUp() override {
    auto pair = base::MakeSocketPair(SOCK_SEQPACKET);
    ASSERT_TRUE(pair.ok());
    ours_ = std::move(pair->first);
    theirs_ = std::move(pair->second);
    writer_ = OpenWriter();
    thread_ = std::thread([this] { ended_ = Serve(theirs_.get(), *writer_); });
  }
  void End() {
    shutdown(ours_.get(), SHUT_WR);
    thread_.join();
  }
  void TearDown() override {
    if (thread_.joinable()) End();
  }
  void Send(const std::string& record) {
    ASSERT_EQ(send(ours_.get(), record.data(), record.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(record.size()));
  }
  ipc::AuditReceipt Take() {
    ipc::AuditReceipt receipt = {};
    EXPECT_EQ(recv(ours_.get(), &receipt, sizeof(receipt), 0), ssize_t{sizeof(receipt)});
    return receipt;
  }

  base::UniqueFd ours_, theirs_;
  std::unique_ptr<audit::LogWriter> writer_;
  std::thread thread_;
  absl::Status ended_;
};

TEST_F(ServeTest, ReceiptsComeInOrderAndTheLogIsClosed) {
  for (int i = 0; i < 100; ++i) Send("record " + std::to_string(i));
  uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const ipc::AuditReceipt receipt = Take();
    EXPECT_GT(receipt.seq, last);
    last = receipt.seq;
  }
  End();
  EXPECT_TRUE(ended_.ok()) << ended_;
  const audit::Report report = VerifyNow(Keys());
  EXPECT_EQ(report.verdict, Verdict::kVerified) << report.finding;
  EXPECT_EQ(report.records, 100u);
}

TEST_F(ServeTest, TooLongARecordIsRefusedAndTheNextTaken) {
  const int big = 1 << 20;
  setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
  Send(std::string(audit::kMaxPayloadBytes + 1, 'x'));
  const ipc::AuditReceipt refused = Take();
  EXPECT_EQ(refused.seq, 0u);
  EXPECT_EQ(refused.error, EMSGSIZE);
  Send("short");
  EXPECT_EQ(Take().seq, 1u);
}

TEST_F(ServeTest, WhatCannotBeWrittenIsSaid) {
  Send("kept");
  ASSERT_EQ(Take().seq, 1u);
  signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit narrow = {200, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &narrow);
  Send(std::string(500, 'x'));
  const ipc::AuditReceipt failed = Take();
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_EQ(failed.seq, 0u);
  EXPECT_NE(failed.error, 0);
  Send("again");
  EXPECT_EQ(Take().seq, 2u);
  End();
  EXPECT_EQ(VerifyNow(Keys()).verdict, Verdict::kVerified);
}

}  // namespace
}  // namespace bulkhead::auditor
