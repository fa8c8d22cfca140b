#include "tools/client/log_follower.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace bulkhead::tools {

absl::Status LogFollower::Drain() {
  if (!file_) file_.Reset(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file_) {
    return errno == ENOENT ? absl::OkStatus() : base::ErrnoStatus(absl::StrCat("open ", path_));
  }
  char buffer[16 << 10];
  while (true) {
    ssize_t n = read(file_.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::ErrnoStatus(absl::StrCat("read ", path_));
    if (n == 0) return absl::OkStatus();
    pending_.append(buffer, n);
    BULKHEAD_RETURN_IF_ERROR(TakeLines());
  }
}

absl::Status LogFollower::TakeLines() {
  size_t begin = 0;
  for (size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    BULKHEAD_RETURN_IF_ERROR(TakeLine(absl::string_view(pending_).substr(begin, end - begin)));
  }
  pending_.erase(0, begin);
  return absl::OkStatus();
}

absl::Status LogFollower::TakeLine(absl::string_view line) {
  std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 3));
  bool known =
      parts.size() == 4 && (parts[1] == "stdout" || parts[1] == "stderr") && !parts[2].empty();
  if (!known) return absl::DataLossError(absl::StrCat("read ", path_, ": not a log line"));
  LogStream stream = parts[1] == "stdout" ? LogStream::kStdout : LogStream::kStderr;
  std::string text(parts[3]);
  if (parts[2].front() != 'P') text.push_back('\n');
  sink_(stream, text);
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
