#include "worker/handles/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "ipc/status_codec.h"

namespace bulkhead::handles {
namespace {

constexpr size_t kMaxListBytes = 1 << 20;
constexpr unsigned kLookAtClockEvery = 256;
// As the filter has it, to the bit.
constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

struct Count {
  int64_t descriptors = 0;
  int64_t sockets = 0;
};

// The process, or its descriptor, has ended meanwhile.
bool IsGone(int error) { return error == ENOENT || error == ESRCH; }

// What one job may count in all.
class Counter {
 public:
  Counter(int proc, base::Deadline deadline, uint64_t most)
      : proc_(proc), deadline_(deadline), left_(most) {}

  // False: not to the end.
  bool CountCgroup(int list, Count& count) {
    if (deadline_.Passed()) return false;
    const absl::StatusOr<std::string> text = base::ReadAll(list, kMaxListBytes);
    if (!text.ok()) return false;
    for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
      int pid = 0;
      // 0: of a pid namespace that is not below ours.
      if (!absl::SimpleAtoi(line, &pid) || pid <= 0) return false;
      if (!CountProcess(pid, count)) return false;
    }
    return true;
  }

 private:
  bool CountProcess(int pid, Count& count) {
    base::UniqueFd fd(openat(proc_, absl::StrCat(pid, "/fd").c_str(), kDirectory));
    if (!fd) return IsGone(errno);
    const std::unique_ptr<DIR, CloseDir> dir(fdopendir(fd.get()));
    if (dir == nullptr) return false;
    [[maybe_unused]] const int owned_by_dir = fd.Release();
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(dir.get());
      if (entry == nullptr) return errno == 0 || IsGone(errno);
      if (entry->d_name[0] == '.') continue;
      if (IsSpent() || !CountDescriptor(dirfd(dir.get()), entry->d_name, count)) return false;
    }
  }

  static bool CountDescriptor(int dir, const char* name, Count& count) {
    char target[16];  // only its beginning matters: whoever opened a file chose its name
    const ssize_t size = readlinkat(dir, name, target, sizeof(target));
    if (size < 0) return IsGone(errno);
    ++count.descriptors;
    const absl::string_view beginning(target, static_cast<size_t>(size));
    if (absl::StartsWith(beginning, "socket:")) ++count.sockets;
    return true;
  }

  bool IsSpent() {
    if (left_ == 0) return true;
    return --left_ % kLookAtClockEvery == 0 && deadline_.Passed();
  }

  const int proc_;
  const base::Deadline deadline_;
  uint64_t left_;
};

}  // namespace

worker::JobResult RunHandlesJob(schema::HandlesJob::Reader job, std::vector<base::UniqueFd> lists,
                                int proc, schema::HandlesResult::Builder result, uint64_t most) {
  Counter counter(proc, base::Deadline::After(absl::Milliseconds(job.getPatienceMs())), most);
  auto counts = result.initCgroups(static_cast<unsigned>(lists.size()));
  for (unsigned i = 0; i < lists.size(); ++i) {
    Count count;
    if (!counter.CountCgroup(lists[i].get(), count)) continue;
    counts[i].setDescriptors(count.descriptors);
    counts[i].setSockets(count.sockets);
  }
  ipc::WriteStatus(absl::OkStatus(), result.initStatus());
  return {};
}

}  // namespace bulkhead::handles
