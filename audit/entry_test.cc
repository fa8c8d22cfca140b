#include "audit/entry.h"

#include <gtest/gtest.h>

#include "audit/seal.h"

namespace bulkhead::audit {
namespace {

const std::string kKey(kKeyBytes, 'k');
const std::string kPrev(kHashBytes, 'p');

TEST(Entry, ComesBackAsItWas) {
  const EntryHeader header = {.kind = EntryKind::kRecord,
                              .emitter = Emitter::kSpawner,
                              .seq = 7,
                              .wall_ns = 123,
                              .boot_ns = 45,
                              .boot_id = {9, 8, 7}};
  const std::string bytes = EncodeEntry(header, "payload", kPrev, kKey);
  EXPECT_EQ(bytes.size(), kEntryOverheadBytes + 7);
  auto entry = DecodeEntry(bytes);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->header.seq, 7u);
  EXPECT_EQ(entry->header.emitter, Emitter::kSpawner);
  EXPECT_EQ(entry->header.boot_id, header.boot_id);
  EXPECT_EQ(entry->payload, "payload");
  EXPECT_EQ(entry->prev, kPrev);
  EXPECT_TRUE(MacIsRight(bytes, kKey));
  EXPECT_FALSE(MacIsRight(bytes, NextKey(kKey)));
}

TEST(Entry, EachBitCounts) {
  const std::string bytes = EncodeEntry({.seq = 1}, "x", kPrev, kKey);
  for (size_t i = kLengthBytes; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(MacIsRight(changed, kKey)) << i;
    EXPECT_NE(HashEntry(changed), HashEntry(bytes)) << i;
  }
}

TEST(Entry, WhatIsNoneIsRefused) {
  const std::string bytes = EncodeEntry({.seq = 1}, "", kPrev, kKey);
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(DecodeEntry(bytes.substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(DecodeEntry(bytes + "x").ok());
  EXPECT_FALSE(EntryBytes(std::string(4, '\xff')).ok());
  EXPECT_FALSE(EntryBytes(std::string(4, '\0')).ok());
}

TEST(Checkpoint, IsSignedAndOfOneLog) {
  auto signer = Signer::FromSeed(std::string(32, 's'));
  auto other = Signer::FromSeed(std::string(32, 'o'));
  ASSERT_TRUE(signer.ok() && other.ok());
  auto line = MakeCheckpoint(*signer, 12, std::string(kHashBytes, 'h'));
  ASSERT_TRUE(line.ok());
  auto point = ReadCheckpoint(*line, signer->public_key());
  ASSERT_TRUE(point.ok()) << point.status();
  EXPECT_EQ(point->seq, 12u);
  EXPECT_FALSE(ReadCheckpoint(*line, other->public_key()).ok());
  std::string changed = *line;
  changed[changed.find(" 12 ") + 1] = '2';
  EXPECT_FALSE(ReadCheckpoint(changed, signer->public_key()).ok());
}

}  // namespace
}  // namespace bulkhead::audit
