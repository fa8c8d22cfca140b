#include "tools/client/log_follower.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace bulkhead::tools {
namespace {

class Follow : public ::testing::Test {
 protected:
  static std::string MakeDirectory() {
    char name[] = "/tmp/log-test-XXXXXX";
    return mkdtemp(name);
  }
  ~Follow() override { std::filesystem::remove_all(dir_); }
  void Append(const std::string& text) { std::ofstream(dir_ + "/l", std::ios::app) << text; }

  std::string dir_ = MakeDirectory();
  std::string out_;
  std::string err_;
  LogFollower follower_{dir_ + "/l", [this](LogStream stream, absl::string_view bytes) {
                          (stream == LogStream::kStdout ? out_ : err_) += std::string(bytes);
                        }};
};

TEST_F(Follow, AsItGrows) {
  EXPECT_TRUE(follower_.Drain().ok());
  Append("2026-01-01T00:00:00.1Z stdout F a  b\n2026-01-01T00:00:00.2Z std");
  ASSERT_TRUE(follower_.Drain().ok());
  EXPECT_EQ(out_, "a  b\n");
  Append("err P half\n2026-01-01T00:00:00.2Z stderr F  line\n2026-01-01T00:00:00.3Z stdout F \n");
  ASSERT_TRUE(follower_.Drain().ok());
  EXPECT_EQ(err_, "half line\n");
  EXPECT_EQ(out_, "a  b\n\n");
}

TEST_F(Follow, OtherFormat) {
  Append("hello\n");
  EXPECT_EQ(follower_.Drain().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bulkhead::tools
