#include "broker/operations/space.h"

#include <sys/vfs.h>

#include "base/status.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kKeptBytes = 4 << 20;
constexpr uint64_t kKeptInodes = 64;

}  // namespace

absl::Status RequireSpace(const Broker& broker) {
  struct statfs fs;
  if (fstatfs(broker.directories.layers.get(), &fs) != 0) return base::ErrnoStatus("root_dir");
  if (uint64_t{fs.f_bavail} * static_cast<uint64_t>(fs.f_bsize) < kKeptBytes) {
    return absl::ResourceExhaustedError(
        "root_dir: no space is left on its disk but for stopping and removing");
  }
  // Some file systems have no such number.
  if (fs.f_files > 0 && fs.f_ffree < kKeptInodes) {
    return absl::ResourceExhaustedError(
        "root_dir: no space is left on its disk for more files (inodes)");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::broker
