#include "audit/verify.h"

#include <fcntl.h>

#include "absl/strings/str_cat.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::audit {
namespace {

// Walks the log; the first finding ends the walk.
class Walk {
 public:
  Walk(const VerifyOptions& options, const std::function<void(const Entry&)>& each)
      : options_(options), each_(each), key_(options.initial_key) {}

  Report Run(int directory) {
    ReadCheckpoints();
    absl::StatusOr<std::vector<SegmentName>> segments = ListSegments(directory);
    if (Done()) return report_;
    if (!segments.ok()) return Cannot(std::string(segments.status().message()));
    for (size_t i = 0; i < segments->size() && !Done(); ++i) {
      WalkSegment(directory, (*segments)[i], i + 1 == segments->size());
    }
    if (!Done()) CheckEnd();
    return report_;
  }

 private:
  bool Done() const { return done_; }
  Report Found(Verdict verdict, absl::string_view finding, uint64_t seq) {
    done_ = true;
    report_.verdict = verdict;
    report_.finding = std::string(finding);
    report_.bad_seq = seq;
    return report_;
  }
  Report Tampered(absl::string_view finding) {
    return Found(Verdict::kTampered, finding, report_.last_seq + 1);
  }
  Report Cannot(absl::string_view why) { return Found(Verdict::kCannotVerify, why, 0); }

  void ReadCheckpoints() {
    for (const std::string& line : options_.checkpoints) {
      absl::StatusOr<Checkpoint> point = ReadCheckpoint(line, options_.public_key);
      if (!point.ok()) {
        Cannot(std::string(point.status().message()));
        return;
      }
      points_.push_back(*std::move(point));
    }
  }

  void WalkSegment(int directory, const SegmentName& segment, bool last) {
    if (segment.first_seq != report_.last_seq + 1) {
      report_.last_seq == 0 ? (void)Cannot("the log's beginning is not here")
                            : (void)Tampered("delete");
      return;
    }
    absl::StatusOr<base::UniqueFd> fd = base::OpenAt(directory, segment.name, O_RDONLY | O_NOFOLLOW,
                                                     base::Resolve::kBeneathNoSymlinks);
    if (!fd.ok()) {
      Cannot(std::string(fd.status().message()));
      return;
    }
    SegmentReader reader(*std::move(fd));
    while (!Done()) {
      absl::StatusOr<std::string> bytes = reader.Next();
      if (!bytes.ok()) {
        const bool torn = last && !EndsWithSeal(reader);
        torn ? (void)Found(Verdict::kIncomplete, "torn", report_.last_seq + 1)
             : (void)Tampered("edit");
        return;
      }
      if (bytes->empty()) return;
      Take(*bytes);
    }
  }

  // A segment that ends with a seal was not being written when the writer died, whatever its
  // middle looks like.
  bool EndsWithSeal(SegmentReader& reader) {
    const absl::StatusOr<std::string> tail = reader.Tail(kSealEntryBytes);
    if (!tail.ok()) return false;
    const absl::StatusOr<Entry> entry = DecodeEntry(*tail);
    if (!entry.ok()) return false;
    const absl::StatusOr<Seal> seal = DecodeSeal(entry->payload);
    return seal.ok() && SealIsRight(*entry, *seal);
  }

  bool SealIsRight(const Entry& entry, const Seal& seal) {
    return SignatureIsRight(
        options_.public_key,
        SealMessage(LogId(options_.public_key), entry.header.seq, entry.prev, seal),
        seal.signature);
  }

  void Take(const std::string& bytes) {
    absl::StatusOr<Entry> entry = DecodeEntry(bytes);
    if (!entry.ok()) return (void)Tampered("edit");
    const EntryHeader& header = entry->header;
    if (header.seq > report_.last_seq + 1) return (void)Tampered("delete");
    if (header.seq <= report_.last_seq) return (void)Tampered("insert");
    if (entry->prev != head_) return (void)Tampered("edit");
    if (!key_.empty() && !MacIsRight(bytes, key_)) return (void)Tampered("edit");
    if (header.kind == EntryKind::kSeal && !TakeSeal(*entry)) return (void)Tampered("bad seal");
    head_ = HashEntry(bytes);
    report_.last_seq = header.seq;
    header.kind == EntryKind::kSeal ? ++report_.seals : ++report_.records;
    for (const Checkpoint& point : points_) {
      if (point.seq == header.seq && point.hash != head_)
        return (void)Found(Verdict::kTampered, "fork", header.seq);
    }
    if (each_) each_(*entry);
  }

  bool TakeSeal(const Entry& entry) {
    const absl::StatusOr<Seal> seal = DecodeSeal(entry.payload);
    if (!seal.ok() || seal->epoch != report_.seals) return false;
    if (!SealIsRight(entry, *seal)) return false;
    if (!key_.empty()) key_ = NextKey(key_);
    report_.last_sealed_seq = entry.header.seq;
    closed_ = seal->closing;
    return true;
  }

  void CheckEnd() {
    for (const Checkpoint& point : points_) {
      if (point.seq > report_.last_seq) {
        Found(Verdict::kTampered, "truncate", report_.last_seq + 1);
        return;
      }
    }
    if (report_.last_seq == 0) {
      Cannot("there is no log");
    } else if (options_.initial_key.empty()) {
      Cannot("without the initial key only hashes and seals were checked; they are right");
    } else if (report_.last_sealed_seq != report_.last_seq || !closed_) {
      Found(Verdict::kIncomplete, "not closed", 0);
    }
  }

  const VerifyOptions& options_;
  const std::function<void(const Entry&)>& each_;
  std::string key_;
  std::string head_ = std::string(kHashBytes, '\0');
  std::vector<Checkpoint> points_;
  Report report_;
  bool closed_ = false;
  bool done_ = false;
};

}  // namespace

Report Verify(int directory, const VerifyOptions& options,
              const std::function<void(const Entry&)>& each) {
  return Walk(options, each).Run(directory);
}

}  // namespace bulkhead::audit
