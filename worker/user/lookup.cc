#include "worker/user/lookup.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "worker/user/account_file.h"
#include "worker/user/user_spec.h"

namespace bulkhead::worker {
namespace {

constexpr char kPasswd[] = "etc/passwd";
constexpr char kGroup[] = "etc/group";
constexpr size_t kMaxHomeBytes = 4095;
constexpr size_t kMaxGroups = 65536;  // the kernel's NGROUPS_MAX

struct PasswdEntry {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
};

// name:password:uid:gid:gecos:home:shell
constexpr size_t kPasswdFields = 7;
// name:password:gid:members
constexpr size_t kGroupFields = 4;

std::string CleanHome(absl::string_view home) {
  bool clean = !home.empty() && home[0] == '/' && home.size() <= kMaxHomeBytes &&
               std::none_of(home.begin(), home.end(), absl::ascii_iscntrl);
  return clean ? std::string(home) : "";
}

absl::StatusOr<PasswdEntry> ReadEntry(const std::vector<absl::string_view>& fields) {
  PasswdEntry entry;
  entry.name = std::string(fields[0]);
  absl::StatusOr<uint32_t> uid = ParseId(fields[2]);
  absl::StatusOr<uint32_t> gid = ParseId(fields[3]);
  if (!uid.ok()) return base::Annotate(uid.status(), absl::StrCat(kPasswd, ": uid"));
  if (!gid.ok()) return base::Annotate(gid.status(), absl::StrCat(kPasswd, ": gid"));
  entry.uid = *uid;
  entry.gid = *gid;
  entry.home = CleanHome(fields[5]);
  return entry;
}

// The first entry of that name or number. An entry whose ids are out of range fails where it is the
// one that is meant.
absl::StatusOr<std::optional<PasswdEntry>> FindPasswd(int rootfs, const IdOrName& user) {
  absl::StatusOr<std::optional<PasswdEntry>> found{std::nullopt};
  absl::Status read = ForEachLine(rootfs, kPasswd, [&](absl::string_view line) {
    std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    if (fields.size() != kPasswdFields) return true;
    if (user.is_id) {
      absl::StatusOr<uint32_t> uid = ParseId(fields[2]);
      if (!uid.ok() || *uid != user.id) return true;
    } else if (fields[0] != user.name) {
      return true;
    }
    absl::StatusOr<PasswdEntry> entry = ReadEntry(fields);
    if (entry.ok()) {
      found = *std::move(entry);
    } else {
      found = entry.status();
    }
    return false;
  });
  if (!read.ok()) return read;
  return found;
}

absl::StatusOr<uint32_t> FindGroup(int rootfs, const std::string& name) {
  absl::StatusOr<uint32_t> found = absl::NotFoundError(absl::StrCat(kGroup, ": no group ", name));
  BULKHEAD_RETURN_IF_ERROR(ForEachLine(rootfs, kGroup, [&](absl::string_view line) {
    std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    if (fields.size() != kGroupFields || fields[0] != name) return true;
    found = ParseId(fields[2]);
    return false;
  }));
  return found;
}

// The groups that list the user as a member.
absl::StatusOr<std::vector<uint32_t>> GroupsOf(int rootfs, const std::string& name) {
  std::vector<uint32_t> out;
  absl::Status bad;
  BULKHEAD_RETURN_IF_ERROR(ForEachLine(rootfs, kGroup, [&](absl::string_view line) {
    std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    if (fields.size() != kGroupFields) return true;
    std::vector<absl::string_view> members = absl::StrSplit(fields[3], ',');
    if (std::find(members.begin(), members.end(), name) == members.end()) return true;
    absl::StatusOr<uint32_t> gid = ParseId(fields[2]);
    if (!gid.ok()) bad = base::Annotate(gid.status(), absl::StrCat(kGroup, ": gid"));
    if (gid.ok()) out.push_back(*gid);
    return bad.ok() && out.size() <= kMaxGroups;
  }));
  if (!bad.ok()) return bad;
  if (out.size() > kMaxGroups) return absl::ResourceExhaustedError("group: too many groups");
  return out;
}

absl::StatusOr<uint32_t> ChooseGid(int rootfs, const LookupRequest& request, const UserSpec& spec,
                                   const std::optional<PasswdEntry>& entry) {
  if (request.has_gid) return request.gid;
  if (spec.has_group) {
    if (spec.group.is_id) return spec.group.id;
    return FindGroup(rootfs, spec.group.name);
  }
  return entry ? entry->gid : 0;
}

absl::Status CheckRequest(const LookupRequest& request) {
  bool good = !request.has_gid || request.gid <= kMaxId;
  for (uint32_t gid : request.supplemental_gids) good = good && gid <= kMaxId;
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError("group: 4294967295 is no id");
}

void SortOnce(std::vector<uint32_t>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

absl::StatusOr<ResolvedUser> LookUpUser(int rootfs, const LookupRequest& request) {
  BULKHEAD_RETURN_IF_ERROR(CheckRequest(request));
  BULKHEAD_ASSIGN_OR_RETURN(UserSpec spec, ParseUserSpec(request.user));
  BULKHEAD_ASSIGN_OR_RETURN(std::optional<PasswdEntry> entry, FindPasswd(rootfs, spec.user));
  if (!entry && !spec.user.is_id) {
    return absl::NotFoundError(absl::StrCat(kPasswd, ": no user ", spec.user.name));
  }
  ResolvedUser out;
  out.uid = entry ? entry->uid : spec.user.id;
  BULKHEAD_ASSIGN_OR_RETURN(out.gid, ChooseGid(rootfs, request, spec, entry));
  if (entry) {
    out.home = entry->home;
    out.username = entry->name;
  }
  out.additional_gids = request.supplemental_gids;
  // Or a file closed to that very group would be open to the user (V21).
  out.additional_gids.push_back(out.gid);
  if (entry && !request.strict) {
    BULKHEAD_ASSIGN_OR_RETURN(std::vector<uint32_t> groups, GroupsOf(rootfs, entry->name));
    out.additional_gids.insert(out.additional_gids.end(), groups.begin(), groups.end());
  }
  SortOnce(out.additional_gids);
  return out;
}

}  // namespace bulkhead::worker
