#include "worker/monitor/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"

namespace bulkhead::monitor {
namespace {

constexpr char kNow[] = "2026-01-02T03:04:05.000000006Z ";
int64_t FixedClock() { return 1767323045000000006; }

class LogWriterTest : public testing::Test {
 protected:
  static base::UniqueFd NewFile() {
    base::UniqueFd fd(memfd_create("log", MFD_CLOEXEC));
    fcntl(fd.get(), F_SETFL, O_APPEND);
    return fd;
  }
  LogWriterTest() : file_(NewFile()), writer_(*base::Duplicate(file_.get()), FixedClock) {}
  static std::string Text(const base::UniqueFd& fd) {
    const off_t size = lseek(fd.get(), 0, SEEK_END);
    return base::ReadAt(fd.get(), 0, static_cast<size_t>(size)).value_or("unreadable");
  }
  std::string Text() { return Text(file_); }

  base::UniqueFd file_;
  LogWriter writer_;
};

TEST(FormatTime, IsRfc3339WithNanoseconds) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(FormatTime(1709251199999999999), "2024-02-29T23:59:59.999999999Z");
}

TEST_F(LogWriterTest, WritesWholeLinesOfBothStreams) {
  writer_.Append(Stream::kStdout, "one\ntwo\n");
  writer_.Append(Stream::kStderr, "three\n");
  EXPECT_EQ(Text(),
            absl::StrCat(kNow, "stdout F one\n", kNow, "stdout F two\n", kNow, "stderr F three\n"));
}

TEST_F(LogWriterTest, JoinsALineThatComesInPieces) {
  writer_.Append(Stream::kStdout, "a");
  writer_.Append(Stream::kStderr, "x\n");
  writer_.Append(Stream::kStdout, "b");
  EXPECT_EQ(Text(), absl::StrCat(kNow, "stderr F x\n"));
  writer_.Append(Stream::kStdout, "c\n");
  EXPECT_EQ(Text(), absl::StrCat(kNow, "stderr F x\n", kNow, "stdout F abc\n"));
}

TEST_F(LogWriterTest, EmptyLinesStay) {
  writer_.Append(Stream::kStdout, "\n\n");
  EXPECT_EQ(Text(), absl::StrCat(kNow, "stdout F \n", kNow, "stdout F \n"));
}

TEST_F(LogWriterTest, CutsLongLinesIntoParts) {
  const std::string longest(LogWriter::kMaxText, 'x');
  writer_.Append(Stream::kStdout, longest);
  EXPECT_EQ(Text(), "");
  writer_.Append(Stream::kStdout, "y\n");
  EXPECT_EQ(Text(), absl::StrCat(kNow, "stdout P ", longest, "\n", kNow, "stdout F y\n"));
}

TEST_F(LogWriterTest, ALineOfExactlyTheLimitIsWhole) {
  const std::string longest(LogWriter::kMaxText, 'x');
  writer_.Append(Stream::kStdout, absl::StrCat(longest, "\n"));
  EXPECT_EQ(Text(), absl::StrCat(kNow, "stdout F ", longest, "\n"));
}

TEST_F(LogWriterTest, TheEndOfAStreamWritesItsRest) {
  writer_.Append(Stream::kStderr, "last words");
  writer_.Finish(Stream::kStderr);
  writer_.Finish(Stream::kStdout);
  EXPECT_EQ(Text(), absl::StrCat(kNow, "stderr P last words\n"));
}

TEST_F(LogWriterTest, ReopenTearsNoLine) {
  const base::UniqueFd second = NewFile();
  writer_.Append(Stream::kStdout, "old\nhalf");
  writer_.Reopen(*base::Duplicate(second.get()));
  writer_.Append(Stream::kStdout, " line\n");
  EXPECT_EQ(Text(), absl::StrCat(kNow, "stdout F old\n"));
  EXPECT_EQ(Text(second), absl::StrCat(kNow, "stdout F half line\n"));
}

TEST_F(LogWriterTest, CountsWhatAFullFileDoesNotTakeAndGoesOn) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small = {.rlim_cur = 50, .rlim_max = old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  writer_.Append(Stream::kStdout, std::string(100, 'x') + "\n");
  writer_.Append(Stream::kStdout, "lost\n");
  const size_t first = strlen(kNow) + strlen("stdout F ") + 101;
  const size_t second = strlen(kNow) + strlen("stdout F lost\n") + 1;
  EXPECT_EQ(writer_.dropped(), first - 50 + second);
  setrlimit(RLIMIT_FSIZE, &old);
  writer_.Append(Stream::kStdout, "again\n");
  EXPECT_THAT(Text(), testing::HasSubstr(absl::StrCat("\n", kNow, "stdout F again\n")));
}

TEST(LogWriter, WithoutAFileNothingIsLost) {
  LogWriter writer((base::UniqueFd()));
  writer.Append(Stream::kStdout, "text\n");
  EXPECT_EQ(writer.dropped(), 0u);
}

}  // namespace
}  // namespace bulkhead::monitor
