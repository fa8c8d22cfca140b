#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::worker {

inline constexpr size_t kMaxArchiveEntries = 100000;

// Where the contents of one file lie in the archive, in bytes.
struct Extent {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// The names of a tar's plain files and links, and where their contents lie.
class ArchiveIndex {
 public:
  // Walks the whole archive; fd is a regular file, stays the caller's. INVALID_ARGUMENT:
  // compressed, or no tar; DATA_LOSS: damaged or cut short; RESOURCE_EXHAUSTED: over
  // kMaxArchiveEntries.
  static absl::StatusOr<ArchiveIndex> Scan(int fd);

  // The file of that name, or what a link of that name points to, one step. NOT_FOUND.
  absl::StatusOr<Extent> Find(absl::string_view name) const;
  bool Has(absl::string_view name) const { return Find(name).ok(); }

 private:
  std::map<std::string, Extent, std::less<>> files_;
  std::map<std::string, std::string, std::less<>> links_;  // to the cleaned name of the target
};

}  // namespace bulkhead::worker
