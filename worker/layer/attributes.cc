#include "worker/layer/attributes.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "security/layer_ids.h"

namespace bulkhead::worker {
namespace {

constexpr absl::string_view kCapabilityXattr = "security.capability";
// struct vfs_cap_data of revision 2: the magic's high byte says the revision, and the size goes
// with it.
constexpr size_t kCapabilityV2Bytes = 20;
constexpr char kCapabilityV2 = 0x02;

absl::StatusOr<uint32_t> CheckId(absl::string_view what, int64_t id) {
  if (id < 0 || id >= security::kLayerIdCount) {
    return absl::InvalidArgumentError(absl::StrCat(what, " ", id, " is out of range"));
  }
  return static_cast<uint32_t>(id);
}

// A revision 3 value names the user namespace it is good for, which no image can know.
absl::Status CheckCapability(absl::string_view value) {
  if (value.size() == kCapabilityV2Bytes && value[3] == kCapabilityV2) return absl::OkStatus();
  return absl::InvalidArgumentError("file capabilities are not of revision 2");
}

// Anything else has a meaning of its own to utimensat(2).
timespec CleanTime(time_t seconds, long nanoseconds) {
  if (nanoseconds < 0 || nanoseconds > 999999999) nanoseconds = 0;
  return {seconds, nanoseconds};
}

bool IsKept(absl::string_view name) {
  if (name == kCapabilityXattr) return true;
  return absl::StartsWith(name, "user.") && !absl::StartsWith(name, "user.overlay.");
}

absl::Status ReadXattrs(archive_entry* entry, Attributes& out) {
  archive_entry_xattr_reset(entry);
  const char* name;
  const void* value;
  size_t size;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    absl::string_view bytes(static_cast<const char*>(value), size);
    if (name == nullptr || !IsKept(name)) {
      ++out.dropped_xattrs;
      continue;
    }
    if (name == kCapabilityXattr) BULKHEAD_RETURN_IF_ERROR(CheckCapability(bytes));
    out.xattrs.push_back({name, std::string(bytes)});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Attributes> ReadAttributes(archive_entry* entry) {
  Attributes out;
  BULKHEAD_ASSIGN_OR_RETURN(out.uid, CheckId("uid", archive_entry_uid(entry)));
  BULKHEAD_ASSIGN_OR_RETURN(out.gid, CheckId("gid", archive_entry_gid(entry)));
  out.mode = archive_entry_perm(entry) & 07777;
  if (archive_entry_mtime_is_set(entry)) {
    out.times[1] = CleanTime(archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
    out.times[0] = out.times[1];
  }
  if (archive_entry_atime_is_set(entry)) {
    out.times[0] = CleanTime(archive_entry_atime(entry), archive_entry_atime_nsec(entry));
  }
  BULKHEAD_RETURN_IF_ERROR(ReadXattrs(entry, out));
  return out;
}

absl::Status ApplyByFd(int fd, const Attributes& attributes) {
  if (fchown(fd, attributes.uid, attributes.gid) != 0) return base::ErrnoStatus("chown");
  if (fchmod(fd, attributes.mode) != 0) return base::ErrnoStatus("chmod");
  for (const Xattr& xattr : attributes.xattrs) {
    if (fsetxattr(fd, xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0) != 0) {
      return base::ErrnoStatus(absl::StrCat("set xattr ", absl::CHexEscape(xattr.name)));
    }
  }
  if (futimens(fd, attributes.times) != 0) return base::ErrnoStatus("set times");
  return absl::OkStatus();
}

absl::Status ApplyToSymlink(int parent, const std::string& leaf, const Attributes& attributes) {
  if (fchownat(parent, leaf.c_str(), attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return base::ErrnoStatus("chown");
  }
  if (utimensat(parent, leaf.c_str(), attributes.times, AT_SYMLINK_NOFOLLOW) != 0) {
    return base::ErrnoStatus("set times");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::worker
