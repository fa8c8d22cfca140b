#include "audit/log_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::audit {
namespace {

int64_t Nanos(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Open(
    int directory, const std::array<uint8_t, kBootIdBytes>& boot_id, Options options) {
  if (flock(directory, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError("audit log: another one writes it");
  }
  BULKHEAD_ASSIGN_OR_RETURN(Signer signer, LoadOrMakeSigner(directory));
  std::unique_ptr<LogWriter> writer(new LogWriter(directory, boot_id, options, std::move(signer)));
  BULKHEAD_ASSIGN_OR_RETURN(writer->epoch_, LoadOrMakeEpoch(directory));
  BULKHEAD_RETURN_IF_ERROR(writer->Continue());
  writer->ReserveAhead();
  PrepareEpoch(directory).IgnoreError();  // the next seal waits for it
  return writer;
}

// Finds the head of what is there. Only the last segment is read; the verifier reads all.
absl::Status LogWriter::Continue() {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<SegmentName> segments, ListSegments(directory_));
  if (segments.empty()) return OpenSegment(1, true);
  BULKHEAD_RETURN_IF_ERROR(OpenSegment(segments.back().first_seq, false));
  durable_.seq = segments.back().first_seq - 1;
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd again, base::Duplicate(segment_.get()));
  SegmentReader reader(std::move(again));
  Entry last;
  for (;;) {
    const absl::StatusOr<std::string> bytes = reader.Next();
    if (!bytes.ok() || bytes->empty()) break;
    absl::StatusOr<Entry> entry = DecodeEntry(*bytes);
    if (!entry.ok()) return entry.status();
    durable_.unsealed = entry->header.kind == EntryKind::kSeal ? 0 : durable_.unsealed + 1;
    durable_.seq = entry->header.seq;
    durable_.hash = HashEntry(*bytes);
    last = *std::move(entry);
  }
  durable_.segment_end = reader.offset();
  struct stat st;
  if (fstat(segment_.get(), &st) != 0) return base::ErrnoStatus("stat the audit segment");
  torn_bytes_ = st.st_size - durable_.segment_end;
  if (torn_bytes_ > 0 && ftruncate(segment_.get(), durable_.segment_end) != 0) {
    return base::ErrnoStatus("cut the audit segment");
  }
  pending_ = durable_;
  return last.header.kind == EntryKind::kSeal ? FollowLastSeal(last) : absl::OkStatus();
}

// The writer may have died between a seal and the change of the key.
absl::Status LogWriter::FollowLastSeal(const Entry& last) {
  BULKHEAD_ASSIGN_OR_RETURN(const Seal seal, DecodeSeal(last.payload));
  return seal.epoch == epoch_.epoch ? NextEpoch() : absl::OkStatus();
}

absl::Status LogWriter::OpenSegment(uint64_t first_seq, bool make) {
  const int flags = O_RDWR | O_APPEND | O_NOFOLLOW | (make ? O_CREAT | O_EXCL : 0);
  BULKHEAD_ASSIGN_OR_RETURN(segment_, base::OpenAt(directory_, NameOfSegment(first_seq), flags,
                                                   base::Resolve::kBeneathNoSymlinks, 0600));
  if (make && fsync(directory_) != 0) return base::ErrnoStatus("write the audit directory");
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> LogWriter::Append(Emitter emitter, absl::string_view payload) {
  if (payload.size() > kMaxPayloadBytes) {
    return absl::InvalidArgumentError("audit record: too long");
  }
  Add(EntryKind::kRecord, emitter, payload);
  return pending_.seq;
}

void LogWriter::Add(EntryKind kind, Emitter emitter, absl::string_view payload) {
  const EntryHeader header = {.kind = kind,
                              .emitter = emitter,
                              .seq = pending_.seq + 1,
                              .wall_ns = Nanos(CLOCK_REALTIME),
                              .boot_ns = Nanos(CLOCK_BOOTTIME),
                              .boot_id = boot_id_};
  const std::string bytes = EncodeEntry(header, payload, pending_.hash, epoch_.key);
  pending_.seq = header.seq;
  pending_.hash = HashEntry(bytes);
  pending_.unsealed = kind == EntryKind::kSeal ? 0 : pending_.unsealed + 1;
  pending_.segment_end += bytes.size();
  bytes_ += bytes;
}

absl::Status LogWriter::Commit() {
  BULKHEAD_RETURN_IF_ERROR(WritePending());
  return durable_.unsealed >= options_.seal_every ? SealNow(false) : absl::OkStatus();
}

absl::Status LogWriter::WritePending() {
  if (bytes_.empty()) return absl::OkStatus();
  absl::Status written = base::WriteAll(segment_.get(), bytes_);
  if (written.ok() && fdatasync(segment_.get()) != 0) {
    written = base::ErrnoStatus("write the audit log");
  }
  if (!written.ok()) {
    Abandon();
    return written;
  }
  bytes_.clear();
  durable_ = pending_;
  ReserveAhead();
  return absl::OkStatus();
}

// Where there is no space, or the file system cannot, what was reserved before must do.
void LogWriter::ReserveAhead() {
  if (durable_.segment_end + options_.reserve_bytes / 2 < reserved_end_) return;
  if (fallocate(segment_.get(), FALLOC_FL_KEEP_SIZE, durable_.segment_end,
                options_.reserve_bytes) == 0) {
    reserved_end_ = durable_.segment_end + options_.reserve_bytes;
  }
}

// Nothing half written stays: the next record's place is where this one's was.
void LogWriter::Abandon() {
  bytes_.clear();
  pending_ = durable_;
  // Where even this fails, the bytes are cut off at the next start, as after a death.
  if (ftruncate(segment_.get(), durable_.segment_end) != 0) return;
}

absl::Status LogWriter::SealNow(bool closing) {
  BULKHEAD_RETURN_IF_ERROR(WritePending());
  if (durable_.unsealed == 0 && !closing) return absl::OkStatus();
  // Before the seal: after one, nothing may be written under the old key.
  BULKHEAD_RETURN_IF_ERROR(PrepareEpoch(directory_));
  Seal seal = {.epoch = epoch_.epoch, .closing = closing};
  BULKHEAD_ASSIGN_OR_RETURN(seal.signature,
                            signer_.Sign(SealMessage(LogId(signer_.public_key()), pending_.seq + 1,
                                                     pending_.hash, seal)));
  Add(EntryKind::kSeal, Emitter::kAuditor, EncodeSeal(seal));
  BULKHEAD_RETURN_IF_ERROR(WritePending());
  BULKHEAD_RETURN_IF_ERROR(NextEpoch());
  PrepareEpoch(directory_).IgnoreError();
  if (durable_.segment_end < options_.segment_bytes) return absl::OkStatus();
  // Where that fails, this segment goes on until the next seal.
  BULKHEAD_RETURN_IF_ERROR(OpenSegment(durable_.seq + 1, true));
  durable_.segment_end = pending_.segment_end = reserved_end_ = 0;
  ReserveAhead();
  return absl::OkStatus();
}

absl::Status LogWriter::NextEpoch() {
  const EpochKey next = {.epoch = epoch_.epoch + 1, .key = NextKey(epoch_.key)};
  BULKHEAD_RETURN_IF_ERROR(StoreEpoch(directory_, next));
  epoch_ = next;
  return absl::OkStatus();
}

absl::StatusOr<std::string> LogWriter::NewCheckpoint() const {
  return MakeCheckpoint(signer_, durable_.seq, durable_.hash);
}

}  // namespace bulkhead::audit
