#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/layer/attributes.h"

namespace bulkhead::worker {

// How the xattrs of inodes are laid out: small ones after the inode, large ones once for all inodes
// that have them, in an area of their own.
class XattrTable {
 public:
  // What follows an inode that has these; empty for none. The number of 4-byte words in it counts
  // in the inode's xattr_count. At most kMostInlineBytes. RESOURCE_EXHAUSTED: the shared area is
  // full.
  absl::StatusOr<std::string> Encode(const std::vector<Xattr>& xattrs);
  const std::string& shared_area() const { return shared_; }

  static constexpr size_t kMostInlineBytes = 1536;
  static uint16_t CountField(const std::string& encoded);

 private:
  absl::StatusOr<uint32_t> Share(const std::string& entry);

  std::string shared_;
  std::map<std::string, uint32_t> known_;  // by the entry's bytes: its number
};

}  // namespace bulkhead::worker
