#include "worker/user/account_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

// One line at a time in a buffer of one line.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  // False at the end. The line is valid until the next call.
  absl::StatusOr<bool> Next(absl::string_view* line) {
    while (true) {
      absl::string_view held(buffer_.data() + begin_, end_ - begin_);
      size_t newline = held.find('\n');
      if (std::min(newline, held.size()) > kMaxAccountLineBytes) {
        return absl::ResourceExhaustedError("a line is over 64 KiB");
      }
      if (newline != absl::string_view::npos) {
        *line = held.substr(0, newline);
        begin_ += newline + 1;
        return true;
      }
      BULKHEAD_ASSIGN_OR_RETURN(bool more, Fill());
      if (more) continue;
      *line = held;
      begin_ = end_;
      return !held.empty();
    }
  }

 private:
  absl::StatusOr<bool> Fill() {
    std::copy(buffer_.begin() + begin_, buffer_.begin() + end_, buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
    ssize_t n;
    do {
      n = read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return base::ErrnoStatus("read");
    end_ += n;
    total_ += n;
    if (total_ > kMaxAccountFileBytes) return absl::ResourceExhaustedError("is over 10 MiB");
    return n > 0;
  }

  int fd_;
  std::vector<char> buffer_ = std::vector<char>(2 * kMaxAccountLineBytes);
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t total_ = 0;
};

absl::Status CheckFile(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus("stat");
  if (!S_ISREG(st.st_mode)) return absl::InvalidArgumentError("is no regular file");
  if (st.st_size > static_cast<off_t>(kMaxAccountFileBytes)) {
    return absl::ResourceExhaustedError("is over 10 MiB");
  }
  return absl::OkStatus();
}

absl::Status ReadLines(int fd, absl::FunctionRef<bool(absl::string_view line)> take) {
  BULKHEAD_RETURN_IF_ERROR(CheckFile(fd));
  LineReader reader(fd);
  absl::string_view line;
  while (true) {
    BULKHEAD_ASSIGN_OR_RETURN(bool more, reader.Next(&line));
    if (!more || !take(line)) return absl::OkStatus();
  }
}

}  // namespace

absl::Status ForEachLine(int rootfs, const std::string& path,
                         absl::FunctionRef<bool(absl::string_view line)> take) {
  // Never blocks on a fifo that an image put there.
  absl::StatusOr<base::UniqueFd> fd =
      base::OpenAt(rootfs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, base::Resolve::kInRoot);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  if (!fd.ok()) return fd.status();
  return base::Annotate(ReadLines(fd->get(), take), path);
}

}  // namespace bulkhead::worker
