#include "tools/up/self_check.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "gtest/gtest.h"
#include "tools/up/sockets.h"

namespace bulkhead::tools {
namespace {

class SelfCheckTest : public ::testing::Test {
 protected:
  SelfCheckTest() {
    char name[] = "/tmp/self-check-XXXXXX";
    dir_ = mkdtemp(name);
    path_ = dir_ + "/cri.sock";
    setenv("WATCHDOG_USEC", "40000000", 1);
    setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
    broker_ = *base::MakeSocketPair(SOCK_SEQPACKET);
    listening_ = *ListenAt(path_, 0600);
  }
  ~SelfCheckTest() override {
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    std::filesystem::remove_all(dir_);
  }

  void BrokerAnswers() {
    char byte = 0;
    ASSERT_EQ(recv(broker_.second.get(), &byte, 1, MSG_DONTWAIT), 1);
    EXPECT_EQ(byte, SelfCheck::kAlive);
    ASSERT_EQ(send(broker_.second.get(), &byte, 1, 0), 1);
  }
  void FrontendAnswers() {
    connection_.Reset(accept(listening_.get(), nullptr, nullptr));
    char hello[64];
    ASSERT_EQ(recv(connection_.get(), hello, sizeof(hello), MSG_DONTWAIT), 33);
    EXPECT_EQ(std::string(hello, 3), "PRI");
    ASSERT_EQ(send(connection_.get(), "s", 1, 0), 1);
  }

  std::string dir_, path_;
  base::FdPair broker_;
  base::UniqueFd listening_, connection_;
};

TEST_F(SelfCheckTest, TellsWhileBothAnswer) {
  SelfCheck check(path_);
  EXPECT_TRUE(check.next().Passed());
  EXPECT_FALSE(check.Tick(broker_.first.get())) << "nobody was asked before";
  EXPECT_GT(check.next().Remaining(), absl::Seconds(8));
  for (int round = 0; round < 2; ++round) {
    BrokerAnswers();
    FrontendAnswers();
    EXPECT_TRUE(check.Tick(broker_.first.get()));
  }
}

TEST_F(SelfCheckTest, IsSilentWhereOneIs) {
  SelfCheck check(path_);
  check.Tick(broker_.first.get());
  FrontendAnswers();
  EXPECT_FALSE(check.Tick(broker_.first.get()));
  connection_.Reset(accept(listening_.get(), nullptr, nullptr));  // the second tick's, unanswered
  BrokerAnswers();
  EXPECT_FALSE(check.Tick(broker_.first.get()));
  listening_.Reset();
  BrokerAnswers();
  EXPECT_FALSE(check.Tick(broker_.first.get()));
}

TEST_F(SelfCheckTest, WantsNoTickWhereNobodyWatches) {
  setenv("WATCHDOG_PID", std::to_string(getpid() + 1).c_str(), 1);
  EXPECT_FALSE(SelfCheck(path_).next().Passed());
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
  EXPECT_FALSE(SelfCheck(path_).next().Passed());
}

}  // namespace
}  // namespace bulkhead::tools
