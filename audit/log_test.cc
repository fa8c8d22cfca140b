#include <sys/resource.h>

#include <csignal>

#include "audit/testing.h"

namespace bulkhead::audit {
namespace {

TEST_F(LogTest, AClosedLogVerifies) {
  Write(1000);
  const Report report = VerifyNow(Keys());
  EXPECT_EQ(report.verdict, Verdict::kVerified) << report.finding;
  EXPECT_EQ(report.records, 1000u);
  EXPECT_GE(report.seals, 4u);
  EXPECT_EQ(report.last_seq, report.records + report.seals);
}

TEST_F(LogTest, IsContinuedByTheNextWriter) {
  Write(10);
  Write(300);
  const Report report = VerifyNow(Keys());
  EXPECT_EQ(report.verdict, Verdict::kVerified) << report.finding << " at " << report.bad_seq;
  EXPECT_EQ(report.records, 310u);
}

TEST_F(LogTest, GoesOnInANewSegment) {
  Write(1000, {.segment_bytes = 20000, .seal_every = 50});
  EXPECT_GT(ListSegments(directory_.get())->size(), 3u);
  EXPECT_EQ(VerifyNow(Keys()).verdict, Verdict::kVerified);
}

TEST_F(LogTest, OnlyOneWrites) {
  auto writer = OpenWriter();
  base::UniqueFd other(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_TRUE(absl::IsFailedPrecondition(LogWriter::Open(other.get(), {}, {}).status()));
}

TEST_F(LogTest, NothingIsThereBeforeCommit) {
  auto writer = OpenWriter();
  ASSERT_EQ(*writer->Append(Emitter::kBroker, "a"), 1u);
  ASSERT_EQ(*writer->Append(Emitter::kBroker, "b"), 2u);
  EXPECT_EQ(writer->durable_seq(), 0u);
  EXPECT_TRUE(ReadSegment().empty());
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_EQ(writer->durable_seq(), 2u);
}

TEST_F(LogTest, TooLongARecordIsRefused) {
  auto writer = OpenWriter();
  EXPECT_FALSE(writer->Append(Emitter::kBroker, std::string(kMaxPayloadBytes + 1, 'x')).ok());
  EXPECT_TRUE(writer->Append(Emitter::kBroker, std::string(kMaxPayloadBytes, 'x')).ok());
  EXPECT_TRUE(writer->Commit().ok());
}

TEST_F(LogTest, AWriterThatDiedLeavesAnIncompleteLogAndTheNextGoesOn) {
  auto writer = OpenWriter();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(writer->Append(Emitter::kBroker, "x").ok());
    ASSERT_TRUE(writer->Commit().ok());
  }
  writer.reset();
  CloseLock();
  EXPECT_EQ(VerifyNow(Keys()).verdict, Verdict::kIncomplete);
  const std::string whole = ReadSegment();
  // It died within its last write: at each length of it.
  for (size_t cut = 1; cut < kEntryOverheadBytes + 1; cut += 7) {
    WriteSegment(whole.substr(0, whole.size() - cut));
    const Report report = VerifyNow(Keys());
    EXPECT_EQ(report.verdict, Verdict::kIncomplete) << cut;
    EXPECT_EQ(report.records, 9u) << cut;
  }
  auto next = OpenWriter();
  EXPECT_GT(next->torn_bytes(), 0u);
  EXPECT_EQ(*next->Append(Emitter::kBroker, "again"), 10u);
  ASSERT_TRUE(next->SealNow(true).ok());
  EXPECT_EQ(VerifyNow(Keys()).verdict, Verdict::kVerified);
}

TEST_F(LogTest, DeathBetweenSealAndKeyIsMended) {
  Write(3);
  // The key file as it was before the seal changed it.
  ASSERT_TRUE(StoreEpoch(directory_.get(), {.epoch = 0, .key = Keys().initial_key}).ok());
  Write(3);
  EXPECT_EQ(VerifyNow(Keys()).verdict, Verdict::kVerified);
}

// A file size limit stands for the full disk: both cut a write short.
TEST_F(LogTest, AWriteThatFailsLeavesNothingOfItself) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Append(Emitter::kBroker, "kept").ok());
  ASSERT_TRUE(writer->Commit().ok());
  const size_t before = ReadSegment().size();
  signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit narrow = {before + 100, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &narrow);
  ASSERT_TRUE(writer->Append(Emitter::kBroker, std::string(500, 'x')).ok());
  EXPECT_FALSE(writer->Commit().ok());
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_EQ(ReadSegment().size(), before);
  EXPECT_EQ(*writer->Append(Emitter::kBroker, "after"), 2u);
  ASSERT_TRUE(writer->SealNow(true).ok());
  EXPECT_EQ(VerifyNow(Keys()).verdict, Verdict::kVerified);
}

}  // namespace
}  // namespace bulkhead::audit
