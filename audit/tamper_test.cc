#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "audit/seal.h"
#include "audit/testing.h"

// What somebody may do to a log's files, and what the verifier says.
namespace bulkhead::audit {
namespace {

class Tamper : public LogTest {
 protected:
  // Where each entry begins, and the end.
  static std::vector<size_t> Offsets(const std::string& bytes) {
    std::vector<size_t> offsets = {0};
    while (offsets.back() < bytes.size()) {
      offsets.push_back(offsets.back() + *EntryBytes(bytes.substr(offsets.back(), kLengthBytes)));
    }
    return offsets;
  }
  void ExpectTampered(const VerifyOptions& keys, uint64_t seq, const char* what) {
    const Report report = VerifyNow(keys);
    EXPECT_EQ(report.verdict, Verdict::kTampered) << what << ": " << report.finding;
    EXPECT_EQ(report.bad_seq, seq) << what << ": " << report.finding;
  }
};

TEST_F(Tamper, AnyByteChanged) {
  Write(12, {.seal_every = 8});
  const VerifyOptions keys = Keys();
  const std::string whole = ReadSegment();
  const std::vector<size_t> offsets = Offsets(whole);
  size_t entry = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    if (i == offsets[entry + 1]) ++entry;
    std::string changed = whole;
    changed[i] ^= 0x10;
    WriteSegment(changed);
    const Report report = VerifyNow(keys);
    ASSERT_EQ(report.bad_seq, entry + 1) << "byte " << i << ": " << report.finding;
    // A closing seal whose length was changed also looks like a death within its writing.
    const bool last_length = entry + 2 == offsets.size() && i < offsets[entry] + kLengthBytes;
    if (last_length && report.verdict == Verdict::kIncomplete) continue;
    ASSERT_EQ(report.verdict, Verdict::kTampered) << "byte " << i << ": " << report.finding;
  }
}

TEST_F(Tamper, EntriesTakenOutOrSwappedOrPutInTwice) {
  Write(20, {.seal_every = 100});
  const VerifyOptions keys = Keys();
  const std::string whole = ReadSegment();
  const std::vector<size_t> at = Offsets(whole);
  const auto piece = [&](size_t from, size_t to) {
    return whole.substr(at[from], at[to] - at[from]);
  };
  WriteSegment(piece(0, 5) + piece(6, 21));
  ExpectTampered(keys, 6, "one taken out");
  WriteSegment(piece(0, 5) + piece(6, 7) + piece(5, 6) + piece(7, 21));
  ExpectTampered(keys, 6, "two swapped");
  WriteSegment(piece(0, 5) + piece(4, 5) + piece(5, 21));
  ExpectTampered(keys, 6, "one twice");
}

TEST_F(Tamper, SegmentsTakenAwayOrReplayed) {
  Write(600, {.segment_bytes = 10000, .seal_every = 50});
  const VerifyOptions keys = Keys();
  auto segments = *ListSegments(directory_.get());
  ASSERT_GT(segments.size(), 4u);
  const std::string second = ReadSegment(1), third = ReadSegment(2);
  WriteSegment(second, 2);
  ExpectTampered(keys, segments[2].first_seq, "an old segment in a new one's place");
  WriteSegment(third, 2);
  ASSERT_EQ(VerifyNow(keys).verdict, Verdict::kVerified);
  std::filesystem::remove(SegmentPath(1));
  ExpectTampered(keys, segments[1].first_seq, "a segment taken away");
}

TEST_F(Tamper, BeginningMissing) {
  Write(600, {.segment_bytes = 10000, .seal_every = 50});
  const VerifyOptions keys = Keys();
  std::filesystem::remove(SegmentPath(0));
  EXPECT_EQ(VerifyNow(keys).verdict, Verdict::kCannotVerify);
}

TEST_F(Tamper, TailCutOffIsShownByACheckpoint) {
  auto writer = OpenWriter({.seal_every = 10});
  std::string checkpoint;
  for (int i = 0; i < 35; ++i) {
    ASSERT_TRUE(writer->Append(Emitter::kBroker, "x").ok());
    ASSERT_TRUE(writer->Commit().ok());
    if (i == 25) checkpoint = *writer->NewCheckpoint();
  }
  ASSERT_TRUE(writer->SealNow(true).ok());
  VerifyOptions keys = Keys();
  keys.checkpoints = {checkpoint};
  ASSERT_EQ(VerifyNow(keys).verdict, Verdict::kVerified);
  const std::string whole = ReadSegment();
  const std::vector<size_t> at = Offsets(whole);
  // After a seal, so that the log looks as if its writer had merely died.
  WriteSegment(whole.substr(0, at[11]));
  ExpectTampered(keys, 12, "cut");
  keys.checkpoints.clear();
  EXPECT_EQ(VerifyNow(keys).verdict, Verdict::kIncomplete);
}

// Whoever takes over the node has today's keys: they must not be able to rewrite yesterday.
TEST_F(Tamper, PastRewrittenWithTheKeysOfNow) {
  Write(40, {.seal_every = 10});
  const VerifyOptions keys = Keys();
  const std::string path = path_ + "/epoch.key";
  std::ifstream in(path);
  uint64_t epoch;
  std::string hex;
  in >> epoch >> hex;
  ASSERT_GT(epoch, 3u);
  const std::string stolen = absl::HexStringToBytes(hex);
  // All of it again, from the first record on, with the signing key as well.
  auto signer = LoadOrMakeSigner(directory_.get());
  ASSERT_TRUE(signer.ok());
  std::string forged, head(kHashBytes, '\0'), key = stolen;
  uint64_t seals = 0;
  for (uint64_t seq = 1; seq <= 10; ++seq) {
    const bool seal_now = seq == 10;
    Seal seal = {.epoch = seals, .closing = true};
    if (seal_now) {
      seal.signature = *signer->Sign(SealMessage(LogId(signer->public_key()), seq, head, seal));
    }
    const std::string bytes =
        EncodeEntry({.kind = seal_now ? EntryKind::kSeal : EntryKind::kRecord, .seq = seq},
                    seal_now ? EncodeSeal(seal) : "nothing happened", head, key);
    forged += bytes;
    head = HashEntry(bytes);
  }
  WriteSegment(forged);
  ExpectTampered(keys, 1, "forged from the beginning");
  // Without the initial key the signature is all there is, and it was stolen: said plainly.
  VerifyOptions blind = keys;
  blind.initial_key.clear();
  EXPECT_EQ(VerifyNow(blind).verdict, Verdict::kCannotVerify);
}

TEST_F(Tamper, AnotherLogInItsPlace) {
  Write(5);
  const VerifyOptions keys = Keys();
  std::filesystem::remove_all(path_);
  std::filesystem::create_directory(path_);
  directory_.Reset(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Write(5);
  ExpectTampered(keys, 1, "another log");
}

}  // namespace
}  // namespace bulkhead::audit
