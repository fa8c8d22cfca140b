#include "worker/inflate/inflate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/unique_fd.h"
#include "worker/parse/sha256.h"

namespace bulkhead::worker {
namespace {

constexpr InflateLimits kRoomy = {.max_bytes = 1ull << 30};

std::string Hash(const std::string& bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = bytes.size();
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = out.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(const std::string& bytes, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  if (window_log) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(context, ZSTD_c_strategy, ZSTD_fast);
    ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 6);
  }
  // Streamed, so that the frame declares its window instead of being one segment.
  std::string out(ZSTD_compressBound(bytes.size()) + 64, '\0');
  ZSTD_inBuffer input = {bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer output = {out.data(), out.size(), 0};
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(context, &output, &input, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

// A plausible tar of about n bytes: a header's magic, then bytes that compress by half.
std::string TarOf(size_t n) {
  std::string out(512 + n, '\0');
  out.replace(257, 5, "ustar");
  uint32_t state = 1;
  for (size_t i = 512; i < out.size(); ++i) {
    state = state * 1664525 + 1013904223;
    out[i] = "0123456789abcdef"[state >> 28];
  }
  return out;
}

struct Outcome {
  absl::StatusOr<Inflated> result = absl::UnknownError("not run");
  std::string written;
};

Outcome RunOn(const std::string& blob, InflateLimits limits = kRoomy, std::string before = "",
              uint64_t size_error = 0) {
  base::UniqueFd file(memfd_create("blob", MFD_CLOEXEC));
  std::string whole = before + blob + "what follows in the archive";
  if (size_error) whole = before + blob;
  EXPECT_EQ(write(file.get(), whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Outcome outcome;
  std::thread reader([&] {
    std::vector<char> buffer(1 << 16);
    for (ssize_t n; (n = read(ends[0], buffer.data(), buffer.size())) > 0;) {
      outcome.written.append(buffer.data(), n);
    }
  });
  outcome.result = Inflate(file.get(), {before.size(), blob.size() + size_error}, ends[1], limits);
  close(ends[1]);
  reader.join();
  close(ends[0]);
  return outcome;
}

void ExpectGood(const std::string& blob, const std::string& tar) {
  Outcome outcome = RunOn(blob, kRoomy, "bytes before");
  ASSERT_TRUE(outcome.result.ok()) << outcome.result.status();
  EXPECT_EQ(outcome.result->bytes, tar.size());
  EXPECT_EQ(outcome.result->digest, Hash(blob));
  EXPECT_TRUE(outcome.written == tar);
}

TEST(Sha256, KnownAnswer) {
  EXPECT_EQ(absl::BytesToHexString(Hash("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Inflate, PlainTar) {
  std::string tar = TarOf(3 << 20);
  ExpectGood(tar, tar);
  ExpectGood(std::string(1024, '\0'), std::string(1024, '\0'));
}

TEST(Inflate, Gzip) {
  std::string tar = TarOf(3 << 20);
  ExpectGood(Gzip(tar), tar);
}

TEST(Inflate, GzipOutputOfExactlyOneBuffer) {
  std::string tar = TarOf((256 << 10) - 512);
  ExpectGood(Gzip(tar), tar);
  ExpectGood(Zstd(tar), tar);
}

TEST(Inflate, ConcatenatedGzipMembers) {
  std::string tar = TarOf(1 << 20);
  ExpectGood(Gzip(tar.substr(0, 1000)) + Gzip("") + Gzip(tar.substr(1000)), tar);
}

TEST(Inflate, ManyEmptyGzipMembersAreBounded) {
  std::string blob;
  std::string empty = Gzip("");
  for (int i = 0; i < 100000; ++i) blob += empty;
  ExpectGood(blob, "");
}

TEST(Inflate, Zstd) {
  std::string tar = TarOf(3 << 20);
  ExpectGood(Zstd(tar), tar);
  ExpectGood(Zstd(tar, 27), tar);
}

TEST(Inflate, ConcatenatedZstdFrames) {
  std::string tar = TarOf(1 << 20);
  std::string skippable("\x50\x2a\x4d\x18\x04\x00\x00\x00skip", 12);
  ExpectGood(skippable + Zstd(tar.substr(0, 1000)) + Zstd(tar.substr(1000)), tar);
}

TEST(Inflate, ZstdWindowOverTheLimit) {
  Outcome outcome = RunOn(Zstd(TarOf(1 << 20), 28));
  EXPECT_EQ(outcome.result.status().code(), absl::StatusCode::kResourceExhausted)
      << outcome.result.status();
}

TEST(Inflate, CutShort) {
  std::string tar = TarOf(1 << 20);
  for (std::string blob : {Gzip(tar), Zstd(tar)}) {
    for (size_t cut : {size_t{1}, size_t{8}, blob.size() / 2}) {
      Outcome outcome = RunOn(blob.substr(0, blob.size() - cut));
      EXPECT_EQ(outcome.result.status().code(), absl::StatusCode::kDataLoss)
          << cut << outcome.result.status();
    }
  }
}

TEST(Inflate, FileShorterThanAnnounced) {
  Outcome outcome = RunOn(Gzip(TarOf(1000)), kRoomy, "", /*size_error=*/1);
  EXPECT_EQ(outcome.result.status().code(), absl::StatusCode::kDataLoss);
}

TEST(Inflate, TrailingGarbage) {
  std::string tar = TarOf(1000);
  for (std::string blob : {Gzip(tar), Zstd(tar)}) {
    for (std::string tail : {std::string("garbage!"), std::string(512, '\0')}) {
      Outcome outcome = RunOn(blob + tail);
      EXPECT_EQ(outcome.result.status().code(), absl::StatusCode::kDataLoss)
          << outcome.result.status();
    }
  }
}

TEST(Inflate, FlippedBit) {
  std::string blob = Gzip(TarOf(1 << 20));
  blob[blob.size() / 2] ^= 1;
  EXPECT_EQ(RunOn(blob).result.status().code(), absl::StatusCode::kDataLoss);
}

TEST(Inflate, ByteLimitIsExact) {
  std::string tar = TarOf(1 << 20);
  InflateLimits exact = {.max_bytes = tar.size()};
  InflateLimits less = {.max_bytes = tar.size() - 1};
  for (std::string blob : {tar, Gzip(tar), Zstd(tar)}) {
    EXPECT_TRUE(RunOn(blob, exact).result.ok());
    Outcome outcome = RunOn(blob, less);
    EXPECT_EQ(outcome.result.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_LE(outcome.written.size(), less.max_bytes);
  }
}

TEST(Inflate, BombStopsAtTheRatio) {
  std::string tar(64 << 20, '\0');
  for (std::string blob : {Gzip(tar), Zstd(tar)}) {
    InflateLimits limits = {.max_bytes = 1ull << 40, .max_ratio = 100};
    Outcome outcome = RunOn(blob, limits);
    EXPECT_EQ(outcome.result.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_LE(outcome.written.size(), std::max<size_t>(blob.size() * 100, 1 << 20));
  }
  InflateLimits small = {.max_bytes = 1ull << 40, .max_ratio = 1};
  EXPECT_TRUE(RunOn(Gzip(TarOf(500 << 10)), small).result.ok()) << "under 1 MiB any ratio passes";
}

TEST(Inflate, OtherFormatsAreRefused) {
  std::string xz(
      "\xfd"
      "7zXZ\0",
      6);
  for (std::string blob : {xz + std::string(600, 'x'), std::string("BZh9") + std::string(600, 'x'),
                           std::string(600, 'x'), std::string("x")}) {
    EXPECT_EQ(RunOn(blob).result.status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(RunOn("").result.status().code(), absl::StatusCode::kDataLoss);
}

TEST(Inflate, ImpossibleRange) {
  EXPECT_EQ(Inflate(-1, {1ull << 63, 1}, -1, kRoomy).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Inflate(-1, {1, ~0ull}, -1, kRoomy).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Inflate, ReaderGone) {
  signal(SIGPIPE, SIG_IGN);
  base::UniqueFd file(memfd_create("blob", MFD_CLOEXEC));
  std::string blob = Gzip(TarOf(1 << 20));
  ASSERT_EQ(write(file.get(), blob.data(), blob.size()), static_cast<ssize_t>(blob.size()));
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  EXPECT_EQ(Inflate(file.get(), {0, blob.size()}, ends[1], kRoomy).status().code(),
            absl::StatusCode::kAborted);
  close(ends[1]);
}

// A blob that is written, with pauses, while it is read; short: how many bytes never come.
Outcome RunOnGrowing(const std::string& blob, size_t short_by) {
  base::UniqueFd file(memfd_create("blob", MFD_CLOEXEC));
  int complete[2], ends[2];
  EXPECT_EQ(pipe2(complete, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Outcome outcome;
  std::thread reader([&] {
    std::vector<char> buffer(1 << 16);
    for (ssize_t n; (n = read(ends[0], buffer.data(), buffer.size())) > 0;) {
      outcome.written.append(buffer.data(), n);
    }
  });
  std::thread writer([&] {
    const size_t all = blob.size() - short_by;
    for (size_t at = 0, n; at < all; at += n) {
      n = std::min<size_t>(at == 0 ? 100 : 100000, all - at);
      EXPECT_EQ(pwrite(file.get(), blob.data() + at, n, at), static_cast<ssize_t>(n));
      usleep(2000);
    }
    close(complete[1]);
  });
  outcome.result = Inflate(file.get(), {0, blob.size()}, ends[1], kRoomy, {complete[0]});
  close(ends[1]);
  writer.join();
  reader.join();
  close(ends[0]);
  close(complete[0]);
  return outcome;
}

TEST(Inflate, BlobThatGrows) {
  std::string tar = TarOf(3 << 20);
  for (const std::string& blob : {tar, Gzip(tar), Zstd(tar)}) {
    Outcome outcome = RunOnGrowing(blob, 0);
    ASSERT_TRUE(outcome.result.ok()) << outcome.result.status();
    EXPECT_EQ(outcome.result->digest, Hash(blob));
    EXPECT_TRUE(outcome.written == tar);
  }
}

TEST(Inflate, BlobThatStopsGrowingTooEarly) {
  for (size_t short_by : {size_t{1}, size_t{100000}}) {
    Outcome outcome = RunOnGrowing(Gzip(TarOf(1 << 20)), short_by);
    EXPECT_EQ(outcome.result.status().code(), absl::StatusCode::kDataLoss)
        << outcome.result.status();
  }
}

TEST(Inflate, GzipHeaderWithEverything) {
  std::string tar = TarOf(100000);
  std::string blob = Gzip(tar);
  std::string fields = std::string(
                           "\x04\x00"
                           "abcd",
                           6) +
                       std::string("name\0comment\0", 13);
  blob[3] = 0x04 | 0x08 | 0x10;  // extra field, name, comment
  ExpectGood(blob.substr(0, 10) + fields + blob.substr(10), tar);
}

TEST(Inflate, WrongChecksumOrLength) {
  for (int from_end : {8, 4, 1}) {
    std::string blob = Gzip(TarOf(100000));
    blob[blob.size() - from_end] ^= 1;
    EXPECT_EQ(RunOn(blob).result.status().code(), absl::StatusCode::kDataLoss) << from_end;
  }
}

}  // namespace
}  // namespace bulkhead::worker
