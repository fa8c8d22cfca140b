#include "worker/unit/job.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "ipc/status_codec.h"
#include "worker/unit/manager.h"

namespace bulkhead::unit {
namespace {

constexpr size_t kLeastNameBytes = 8;
constexpr size_t kMostNameBytes = 255;

absl::Status Check(schema::UnitJob::Reader job) {
  const std::string unit = job.getUnit(), name = job.getOwnName();
  const bool plain = std::all_of(unit.begin(), unit.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-_.", c);
  });
  const bool right_kind = absl::EndsWith(unit, ".slice") ||
                          (job.which() == schema::UnitJob::LIMIT && absl::EndsWith(unit, ".scope"));
  if (!plain || !right_kind || unit.size() > kMostNameBytes || unit.front() == '-') {
    return absl::InvalidArgumentError("unit: not the name of a slice or scope");
  }
  if (name.size() < kLeastNameBytes || !absl::StrContains(unit, name)) {
    return absl::InvalidArgumentError("unit: not the one that it is taken for");
  }
  if (!base::IsId(std::string(job.getPodId().cStr()))) {
    return absl::InvalidArgumentError("pod id: not 64 hex digits");
  }
  return absl::OkStatus();
}

std::string Mark(schema::UnitJob::Reader job) {
  return absl::StrCat("Bulkhead pod ", job.getPodId().cStr());
}

absl::Status Make(schema::UnitJob::Reader job, Manager& manager,
                  schema::UnitResult::Builder result) {
  const std::string unit = job.getUnit(), mark = Mark(job);
  BULKHEAD_ASSIGN_OR_RETURN(Manager::State state, manager.Look(unit));
  if (!state.active) {
    const absl::Status made =
        manager.StartSlice(unit, mark, Properties(job.getMake(), job.getV2()));
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
    BULKHEAD_ASSIGN_OR_RETURN(state, manager.Look(unit));
  }
  result.setOurs(state.description == mark);
  return absl::OkStatus();
}

absl::Status Remove(schema::UnitJob::Reader job, Manager& manager) {
  const std::string unit = job.getUnit();
  BULKHEAD_ASSIGN_OR_RETURN(const Manager::State state, manager.Look(unit));
  if (!state.active || state.description != Mark(job)) return absl::OkStatus();
  return manager.Stop(unit);
}

absl::Status Limit(schema::UnitJob::Reader job, Manager& manager) {
  const std::string unit = job.getUnit();
  BULKHEAD_ASSIGN_OR_RETURN(const Manager::State state, manager.Look(unit));
  if (!state.active) return absl::NotFoundError(absl::StrCat(unit, ": no such unit"));
  return manager.SetProperties(unit, Properties(job.getLimit(), job.getV2()));
}

absl::Status Run(schema::UnitJob::Reader job, schema::UnitResult::Builder result) {
  BULKHEAD_RETURN_IF_ERROR(Check(job));
  BULKHEAD_ASSIGN_OR_RETURN(Manager manager, Manager::Connect());
  switch (job.which()) {
    case schema::UnitJob::MAKE:
      return Make(job, manager, result);
    case schema::UnitJob::LIMIT:
      return Limit(job, manager);
    case schema::UnitJob::REMOVE:
      return Remove(job, manager);
  }
  return absl::InvalidArgumentError("unit: unknown job");
}

}  // namespace

worker::JobResult RunUnitJob(schema::UnitJob::Reader job, schema::UnitResult::Builder result) {
  ipc::WriteStatus(Run(job, result), result.initStatus());
  return {};
}

}  // namespace bulkhead::unit
