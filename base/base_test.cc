// The small ones: ids, status, deadline, log, descriptors.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <set>

#include "absl/algorithm/container.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bulkhead::base {
namespace {

TEST(Ids, AreRandomAndWellFormed) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewId();
    EXPECT_TRUE(IsId(id)) << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Ids, Form) {
  const std::string id(64, 'a');
  EXPECT_TRUE(IsId(id));
  EXPECT_FALSE(IsId(id + "a"));
  EXPECT_FALSE(IsId(id.substr(1)));
  EXPECT_FALSE(IsId(std::string(64, 'A')));
  EXPECT_FALSE(IsId(std::string(64, '/')));
  EXPECT_TRUE(IsIdPrefix("0"));
  EXPECT_TRUE(IsIdPrefix(id));
  EXPECT_FALSE(IsIdPrefix(""));
  EXPECT_FALSE(IsIdPrefix(id + "a"));
  EXPECT_FALSE(IsIdPrefix("../"));
}

TEST(Ids, Hex) {
  const std::string bytes("\x00\xff\x10", 3);
  EXPECT_EQ(ToHex(bytes), "00ff10");
  EXPECT_EQ(FromHex("00ff10"), bytes);
  EXPECT_EQ(FromHex("00FF10"), "");
  EXPECT_EQ(FromHex("0"), "");
  EXPECT_EQ(FromHex("0g"), "");
}

TEST(Ids, BootId) {
  EXPECT_EQ(BootId().size(), 16u);
  EXPECT_EQ(BootId(), BootId());
}

TEST(Status, FollowsErrno) {
  EXPECT_TRUE(absl::IsNotFound(ErrnoStatus("x", ENOENT)));
  EXPECT_TRUE(absl::IsResourceExhausted(ErrnoStatus("x", ENOSPC)));
  EXPECT_TRUE(absl::IsResourceExhausted(ErrnoStatus("x", EMFILE)));
  EXPECT_TRUE(absl::IsPermissionDenied(ErrnoStatus("x", EACCES)));
  EXPECT_TRUE(absl::IsPermissionDenied(ErrnoStatus("x", EPERM)));
  EXPECT_TRUE(absl::IsAlreadyExists(ErrnoStatus("x", EEXIST)));
  EXPECT_TRUE(absl::IsDeadlineExceeded(ErrnoStatus("x", ETIMEDOUT)));
  EXPECT_TRUE(absl::IsInternal(ErrnoStatus("x", EINVAL)));
  EXPECT_EQ(ErrnoStatus("open /x", ENOENT).message(), "open /x: No such file or directory");
  EXPECT_EQ(Annotate(absl::NotFoundError("b"), "a"), absl::NotFoundError("a: b"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "a").ok());
}

TEST(Deadline, Counts) {
  EXPECT_EQ(Deadline::Never().PollTimeout(), -1);
  EXPECT_FALSE(Deadline::Never().Passed());
  const Deadline passed = Deadline::After(absl::Seconds(-1));
  EXPECT_TRUE(passed.Passed());
  EXPECT_EQ(passed.PollTimeout(), 0);
  const Deadline soon = Deadline::After(absl::Milliseconds(30));
  EXPECT_FALSE(soon.Passed());
  EXPECT_THAT(soon.PollTimeout(), testing::AllOf(testing::Gt(0), testing::Le(30)));
  absl::SleepFor(absl::Milliseconds(35));
  EXPECT_TRUE(soon.Passed());
}

// What Log writes to standard error.
std::string Logged(absl::string_view what, std::initializer_list<Field> fields) {
  testing::internal::CaptureStderr();
  Log(Severity::kInfo, what, fields);
  return testing::internal::GetCapturedStderr();
}

TEST(Log, NoValueForgesALine) {
  SetLogProcess("frontend");
  const std::string line =
      Logged("pull \n2026", {{"image", "a\n2026-01-01 E broker x=\"y"}, {"n", 7}});
  EXPECT_EQ(absl::c_count(line, '\n'), 1) << line;
  EXPECT_THAT(line, testing::MatchesRegex(
                        "20.*T.*Z I frontend pull \\\\n2026 image=\"a\\\\n.*x=\\\\\"y\" n=7\n"));
}

TEST(Log, LinesAreBounded) {
  const std::string line = Logged("x", {{"v", std::string(100000, 'x')}});
  EXPECT_EQ(line.size(), 4096u);
  EXPECT_EQ(line.back(), '\n');
}

TEST(Log, Threshold) {
  testing::internal::CaptureStderr();
  Log(Severity::kDebug, "unseen");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(UniqueFd, ClosesAndMoves) {
  absl::StatusOr<FdPair> pipe = MakePipe();
  ASSERT_TRUE(pipe.ok());
  const int raw = pipe->first.get();
  EXPECT_EQ(fcntl(raw, F_GETFD), FD_CLOEXEC);
  UniqueFd moved = std::move(pipe->first);
  EXPECT_FALSE(pipe->first);
  moved.Reset();
  EXPECT_EQ(fcntl(raw, F_GETFD), -1);
}

TEST(UniqueFd, SocketPairKeepsMessages) {
  absl::StatusOr<FdPair> pair = MakeSocketPair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair.ok());
  EXPECT_EQ(fcntl(pair->first.get(), F_GETFD), FD_CLOEXEC);
  ASSERT_TRUE(WriteAll(pair->first.get(), "ab").ok());
  ASSERT_TRUE(WriteAll(pair->first.get(), "c").ok());
  char buffer[8];
  EXPECT_EQ(read(pair->second.get(), buffer, sizeof(buffer)), 2);
}

TEST(Memfd, CannotBeChanged) {
  absl::StatusOr<UniqueFd> fd = MakeSealedMemfd("config", "hello");
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(ReadAll(fd->get(), 100).value_or(""), "hello");
  EXPECT_EQ(ReadAt(fd->get(), 0, 5).value_or(""), "hello");
  EXPECT_EQ(pwrite(fd->get(), "x", 1, 0), -1);
  EXPECT_EQ(pwrite(fd->get(), "x", 1, 5), -1);
  EXPECT_EQ(ftruncate(fd->get(), 0), -1);
  EXPECT_EQ(ftruncate(fd->get(), 10), -1);
  EXPECT_EQ(mmap(nullptr, 5, PROT_WRITE, MAP_SHARED, fd->get(), 0), MAP_FAILED);
  EXPECT_EQ(fcntl(fd->get(), F_ADD_SEALS, F_SEAL_SEAL), -1);
}

}  // namespace
}  // namespace bulkhead::base
