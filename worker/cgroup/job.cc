#include "worker/cgroup/job.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "worker/cgroup/apply.h"
#include "worker/cgroup/tree.h"

namespace bulkhead::cgroup {
namespace {

constexpr size_t kLeastNameBytes = 8;
// What a cgroup's controllers understand; the rest of its files moves or kills processes.
constexpr absl::string_view kControllers[] = {"cpu.",  "cpuset.", "hugetlb.", "io.",
                                              "misc.", "memory.", "pids.",    "rdma."};

struct Cgroup {
  int root;
  std::string path;
  bool v2;
};

absl::StatusOr<Cgroup> Checked(schema::CgroupJob::Reader job, int root) {
  const Cgroup cgroup = {root, job.getPath(),
                         job.getCgroupMode() == schema::Host::CgroupMode::V2};
  const std::string name = job.getOwnName();
  if (!base::IsCleanAbsolutePath(cgroup.path) || cgroup.path == "/") {
    return absl::InvalidArgumentError("cgroup: not a clean path of a cgroup below the root");
  }
  if (name.size() < kLeastNameBytes || absl::StrContains(name, "/") ||
      !absl::StrContains(cgroup.path.substr(cgroup.path.rfind('/')), name)) {
    return absl::InvalidArgumentError("cgroup: not the one that it is taken for");
  }
  return cgroup;
}

absl::StatusOr<std::vector<Limit>> CheckedLimits(const Cgroup& cgroup,
                                                 schema::Resources::Reader resources) {
  std::vector<Limit> limits = cgroup.v2 ? LimitsV2(resources) : LimitsV1(resources);
  for (const Limit& limit : limits) {
    bool known = !absl::StrContains(limit.file, "/");
    bool of_a_controller = false;
    for (absl::string_view prefix : kControllers) {
      of_a_controller |= absl::StartsWith(limit.file, prefix);
    }
    if (known && of_a_controller) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("linux.", limit.field, ": ", limit.file, " is no controller's file"));
  }
  return limits;
}

// False where it is nowhere, or somebody else's in one hierarchy.
absl::StatusOr<bool> OursEverywhere(const Cgroup& cgroup) {
  BULKHEAD_ASSIGN_OR_RETURN(const auto hierarchies, Hierarchies(cgroup.root, cgroup.v2));
  bool any = false;
  for (const std::string& hierarchy : hierarchies) {
    const absl::StatusOr<bool> ours = IsOurs(cgroup.root, hierarchy, cgroup.path);
    if (absl::IsNotFound(ours.status())) continue;
    if (!ours.ok()) return ours.status();
    if (!*ours) return false;
    any = true;
  }
  return any;
}

// In each hierarchy for itself: somebody may have made it in one, and this process in the others.
absl::Status Remove(const Cgroup& cgroup) {
  BULKHEAD_ASSIGN_OR_RETURN(const auto hierarchies, Hierarchies(cgroup.root, cgroup.v2));
  for (const std::string& hierarchy : hierarchies) {
    const absl::StatusOr<bool> ours = IsOurs(cgroup.root, hierarchy, cgroup.path);
    if (!ours.ok() && !absl::IsNotFound(ours.status())) return ours.status();
    if (ours.ok() && *ours) {
      BULKHEAD_RETURN_IF_ERROR(
          base::RemoveCgroupAt(cgroup.root, PlaceOf(hierarchy, cgroup.path)));
    }
    RemoveEmptyParents(cgroup.root, hierarchy, cgroup.path);
  }
  return absl::OkStatus();
}

absl::Status Make(const Cgroup& cgroup, schema::Resources::Reader resources) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<Limit> limits, CheckedLimits(cgroup, resources));
  BULKHEAD_ASSIGN_OR_RETURN(const auto hierarchies, Hierarchies(cgroup.root, cgroup.v2));
  bool ours = true;
  absl::Status status;
  for (const std::string& hierarchy : hierarchies) {
    absl::StatusOr<bool> made = MakeCgroup(cgroup.root, hierarchy, cgroup.path);
    status.Update(made.status());
    if (!status.ok()) break;
    ours &= *made;
  }
  if (status.ok() && ours) status = ApplyLimits(cgroup.root, cgroup.path, cgroup.v2, limits);
  if (!status.ok()) Remove(cgroup).IgnoreError();
  return status;
}

absl::Status SetLimits(const Cgroup& cgroup, schema::CgroupJob::Reader job) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<Limit> limits, CheckedLimits(cgroup, job.getLimit()));
  if (job.getOurs()) {
    BULKHEAD_ASSIGN_OR_RETURN(const bool ours, OursEverywhere(cgroup));
    if (!ours) return absl::OkStatus();
  }
  return ApplyLimits(cgroup.root, cgroup.path, cgroup.v2, limits);
}

absl::Status Run(schema::CgroupJob::Reader job, int root) {
  BULKHEAD_ASSIGN_OR_RETURN(const Cgroup cgroup, Checked(job, root));
  switch (job.which()) {
    case schema::CgroupJob::MAKE:
      return Make(cgroup, job.getMake());
    case schema::CgroupJob::LIMIT:
      return SetLimits(cgroup, job);
    case schema::CgroupJob::REMOVE:
      return Remove(cgroup);
  }
  return absl::InvalidArgumentError("cgroup: unknown job");
}

}  // namespace

worker::JobResult RunCgroupJob(schema::CgroupJob::Reader job, int root,
                               schema::CgroupResult::Builder result) {
  ipc::WriteStatus(Run(job, root), result.initStatus());
  return {};
}

}  // namespace bulkhead::cgroup
