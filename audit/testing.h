#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "audit/keys.h"
#include "audit/log_writer.h"
#include "audit/segment.h"
#include "audit/verify.h"
#include "base/unique_fd.h"

namespace bulkhead::audit {

// A directory for a log, gone at the end.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    char name[] = "/tmp/bhtest-audit-XXXXXX";
    path_ = mkdtemp(name);
    directory_.Reset(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~LogTest() override { std::filesystem::remove_all(path_); }

  std::unique_ptr<LogWriter> OpenWriter(LogWriter::Options options = {}) {
    // An open file of its own: the lock belongs to it.
    writer_directory_.Reset(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto writer = LogWriter::Open(writer_directory_.get(), {1, 2, 3}, options);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  void CloseLock() { writer_directory_.Reset(); }

  static constexpr int kRecordsACommit = 10;
  // A log of this many records, closed in order.
  void Write(int records, LogWriter::Options options = {}) {
    auto writer = OpenWriter(options);
    for (int i = 0; i < records; ++i) {
      ASSERT_TRUE(writer->Append(Emitter::kBroker, "record " + std::to_string(i)).ok());
      if (i % kRecordsACommit == 0) {
        ASSERT_TRUE(writer->Commit().ok());
      }
    }
    ASSERT_TRUE(writer->SealNow(true).ok());
    CloseLock();
  }

  VerifyOptions Keys() {
    auto public_key = ReadHexFile(directory_.get(), kPublicKeyFile, kKeyBytes);
    auto initial = ReadHexFile(directory_.get(), kInitialKeyFile, kKeyBytes);
    EXPECT_TRUE(public_key.ok() && initial.ok());
    return {.public_key = *public_key, .initial_key = *initial, .checkpoints = {}};
  }
  Report VerifyNow(const VerifyOptions& options) { return Verify(directory_.get(), options); }

  std::string SegmentPath(size_t index = 0) {
    auto segments = ListSegments(directory_.get());
    return path_ + "/" + segments->at(index).name;
  }
  std::string ReadSegment(size_t index = 0) {
    std::ifstream in(SegmentPath(index), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  void WriteSegment(const std::string& bytes, size_t index = 0) {
    std::ofstream(SegmentPath(index), std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string path_;
  base::UniqueFd directory_;
  base::UniqueFd writer_directory_;
};

}  // namespace bulkhead::audit
