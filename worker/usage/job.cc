#include "worker/usage/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "ipc/status_codec.h"

namespace bulkhead::usage {
namespace {

using base::UniqueFd;

constexpr unsigned kMaxContainers = 1024;
constexpr uint64_t kBlockBytes = 512;  // of st_blocks, whatever the file system's own size is
// Each level costs a descriptor and a buffer of 32 KiB. What is nested deeper is not counted.
constexpr int kMaxDepth = 512;
constexpr size_t kMaxLinks = 100000;  // files with several names that are remembered
constexpr unsigned kLookAtClockEvery = 256;
constexpr absl::Duration kPatienceForAll = absl::Seconds(60);  // what comes later is not counted

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

// One layer that is being counted.
struct Count {
  base::Deadline deadline;
  uint64_t bytes = 0;
  uint64_t inodes = 0;
  bool complete = true;
  std::set<ino_t> linked = {};  // of those with several names, counted already
  unsigned entries = 0;
};

void Add(const struct stat& st, Count& count) {
  if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
    if (count.linked.count(st.st_ino) != 0) return;
    if (count.linked.size() < kMaxLinks) count.linked.insert(st.st_ino);
  }
  count.bytes += static_cast<uint64_t>(st.st_blocks) * kBlockBytes;
  ++count.inodes;
}

bool OutOfTime(Count& count) {
  return ++count.entries % kLookAtClockEvery == 0 && count.deadline.Passed();
}

bool IsDots(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// The directory itself has been counted.
void Walk(UniqueFd directory, int depth, Count& count) {
  std::unique_ptr<DIR, CloseDir> dir(depth < kMaxDepth ? fdopendir(directory.get()) : nullptr);
  if (dir == nullptr) {
    count.complete = false;
    return;
  }
  [[maybe_unused]] const int owned_by_dir = directory.Release();
  while (const dirent* entry = readdir(dir.get())) {
    if (IsDots(entry->d_name)) continue;
    if (!count.complete && count.deadline.Passed()) return;
    if (OutOfTime(count)) {
      count.complete = false;
      return;
    }
    struct stat st;
    // The container lives: names come and go.
    if (fstatat(dirfd(dir.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    Add(st, count);
    if (!S_ISDIR(st.st_mode)) continue;
    absl::StatusOr<UniqueFd> below =
        base::OpenAt(dirfd(dir.get()), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                     base::Resolve::kBeneathNoSymlinks);
    if (below.ok()) {
      Walk(*std::move(below), depth + 1, count);
    } else if (!absl::IsNotFound(below.status())) {
      count.complete = false;
    }
  }
}

void CountLayer(int containers, const std::string& id, absl::Duration patience,
                schema::LayerUsage::Builder result) {
  Count count = {.deadline = base::Deadline::After(patience)};
  absl::StatusOr<UniqueFd> upper =
      base::OpenAt(containers, absl::StrCat(id, "/upper"), O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                   base::Resolve::kBeneathNoSymlinks);
  struct stat st;
  if (!upper.ok() || fstat(upper->get(), &st) != 0) return;
  Add(st, count);
  Walk(*std::move(upper), 0, count);
  result.setBytes(count.bytes);
  result.setInodes(count.inodes);
  result.setComplete(count.complete);
}

absl::Status Run(schema::UsageJob::Reader job, int containers, schema::UsageResult::Builder out) {
  const auto ids = job.getContainers();
  if (ids.size() > kMaxContainers) return absl::InvalidArgumentError("usage: too many containers");
  for (const auto id : ids) {
    if (!base::IsId(id.cStr()))
      return absl::InvalidArgumentError("container id: not 64 hex digits");
  }
  struct statfs fs;
  if (fstatfs(containers, &fs) == 0) {
    out.setFsBytes(static_cast<uint64_t>(fs.f_blocks) * static_cast<uint64_t>(fs.f_frsize));
    out.setFsInodes(fs.f_files);
    out.setFsInodesFree(fs.f_ffree);
  }
  auto layers = out.initLayers(ids.size());
  const absl::Duration patience = absl::Milliseconds(job.getPatienceMs());
  const base::Deadline all = base::Deadline::After(kPatienceForAll);
  for (unsigned i = 0; i < ids.size(); ++i) {
    CountLayer(containers, ids[i], std::min(patience, all.Remaining()), layers[i]);
  }
  return absl::OkStatus();
}

}  // namespace

worker::JobResult RunUsageJob(schema::UsageJob::Reader job, int containers,
                              schema::UsageResult::Builder result) {
  ipc::WriteStatus(Run(job, containers, result), result.initStatus());
  return {};
}

}  // namespace bulkhead::usage
