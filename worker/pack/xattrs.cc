#include "worker/pack/xattrs.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/erofs_format.h"
#include "base/status.h"
#include "security/layer_ids.h"

namespace bulkhead::worker {
namespace {

using namespace base::erofs;

constexpr size_t kWordBytes = 4;
constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxValueBytes = 65535;
constexpr size_t kMaxInlineEntries = 512;  // bytes of all an inode's, else they are shared
constexpr size_t kMaxSharedCount = 255;
constexpr size_t kMaxSharedBytes = 16 << 20;

template <typename T>
absl::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// What the kernel stores when root of the layers' user namespace sets it: good for that namespace
// alone (struct vfs_ns_cap_data, revision 3).
std::string ForLayerIds(const std::string& revision2) {
  const uint32_t root = security::kLayerIdShift;
  std::string out = revision2;
  out[3] = 0x03;
  return absl::StrCat(out, BytesOf(root));
}

absl::StatusOr<std::string> EncodeOne(const Xattr& xattr) {
  absl::string_view name = xattr.name;
  XattrEntry entry = {};
  std::string value = xattr.value;
  if (absl::ConsumePrefix(&name, "user.")) {
    entry.name_index = kXattrUser;
  } else if (absl::ConsumePrefix(&name, "security.")) {
    entry.name_index = kXattrSecurity;
    value = ForLayerIds(value);
  } else {
    return absl::InternalError("an xattr that is not kept");
  }
  if (name.empty() || name.size() > kMaxNameBytes || value.size() > kMaxValueBytes) {
    return absl::InvalidArgumentError("an xattr whose name or value is too long, or empty");
  }
  entry.name_bytes = static_cast<uint8_t>(name.size());
  entry.value_bytes = static_cast<uint16_t>(value.size());
  std::string out = absl::StrCat(BytesOf(entry), name, value);
  out.resize((out.size() + kWordBytes - 1) / kWordBytes * kWordBytes);
  return out;
}

}  // namespace

uint16_t XattrTable::CountField(const std::string& encoded) {
  if (encoded.empty()) return 0;
  return static_cast<uint16_t>(1 + (encoded.size() - sizeof(XattrHeader)) / kWordBytes);
}

absl::StatusOr<uint32_t> XattrTable::Share(const std::string& entry) {
  auto [found, is_new] = known_.try_emplace(entry, shared_.size() / kWordBytes);
  if (is_new) {
    if (entry.size() > kMaxSharedBytes - shared_.size()) {
      return absl::ResourceExhaustedError("more than 16 MiB of large xattrs in one layer");
    }
    shared_ += entry;
  }
  return found->second;
}

absl::StatusOr<std::string> XattrTable::Encode(const std::vector<Xattr>& xattrs) {
  if (xattrs.empty()) return std::string();
  std::vector<std::string> entries;
  size_t total = 0;
  for (const Xattr& xattr : xattrs) {
    BULKHEAD_ASSIGN_OR_RETURN(std::string entry, EncodeOne(xattr));
    total += entry.size();
    entries.push_back(std::move(entry));
  }
  XattrHeader header = {};
  if (total <= kMaxInlineEntries) {
    std::string out(BytesOf(header));
    for (const std::string& entry : entries) out += entry;
    return out;
  }
  if (entries.size() > kMaxSharedCount) {
    return absl::ResourceExhaustedError("more than 255 xattrs of one file");
  }
  header.shared_count = static_cast<uint8_t>(entries.size());
  std::string out(BytesOf(header));
  for (const std::string& entry : entries) {
    BULKHEAD_ASSIGN_OR_RETURN(uint32_t number, Share(entry));
    absl::StrAppend(&out, BytesOf(number));
  }
  return out;
}

}  // namespace bulkhead::worker
