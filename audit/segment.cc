#include "audit/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace bulkhead::audit {
namespace {

constexpr char kSuffix[] = ".log";
constexpr size_t kDigits = 20;

// As many bytes as there are, up to count.
absl::StatusOr<std::string> ReadUpTo(int fd, off_t offset, size_t count) {
  std::string bytes(count, '\0');
  size_t done = 0;
  while (done < count) {
    const ssize_t got = pread(fd, bytes.data() + done, count - done, offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::ErrnoStatus("read the audit log");
    if (got == 0) break;
    done += got;
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

std::string NameOfSegment(uint64_t first_seq) {
  return absl::StrFormat("%0*u%s", kDigits, first_seq, kSuffix);
}

absl::StatusOr<std::vector<SegmentName>> ListSegments(int directory) {
  // A second open file: reading moves its position.
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> dir(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (dir == nullptr) return base::ErrnoStatus("list the audit log");
  std::vector<SegmentName> segments;
  while (const dirent* item = readdir(dir.get())) {
    absl::string_view digits = item->d_name;
    uint64_t first = 0;
    if (!absl::ConsumeSuffix(&digits, kSuffix) || digits.size() != kDigits ||
        !absl::SimpleAtoi(digits, &first)) {
      continue;
    }
    segments.push_back({first, item->d_name});
  }
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a.first_seq < b.first_seq; });
  return segments;
}

absl::StatusOr<std::string> SegmentReader::Tail(size_t count) {
  struct stat st;
  if (fstat(fd_.get(), &st) != 0) return base::ErrnoStatus("stat the audit segment");
  if (static_cast<uint64_t>(st.st_size) < count) return absl::OutOfRangeError("segment: short");
  return ReadUpTo(fd_.get(), st.st_size - static_cast<off_t>(count), count);
}

absl::StatusOr<std::string> SegmentReader::Next() {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string head, ReadUpTo(fd_.get(), offset_, kLengthBytes));
  if (head.empty()) return std::string();
  if (head.size() < kLengthBytes) return absl::DataLossError("segment: ends within an entry");
  BULKHEAD_ASSIGN_OR_RETURN(const size_t length, EntryBytes(head));
  BULKHEAD_ASSIGN_OR_RETURN(std::string bytes, ReadUpTo(fd_.get(), offset_, length));
  if (bytes.size() < length) return absl::DataLossError("segment: ends within an entry");
  offset_ += static_cast<off_t>(length);
  return bytes;
}

}  // namespace bulkhead::audit
