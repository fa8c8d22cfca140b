#include "worker/cgroup/apply.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::cgroup {
namespace {

constexpr size_t kMaxValueBytes = 4096;
constexpr char kMemoryMax[] = "memory.max";
constexpr char kMemoryMaxV1[] = "memory.limit_in_bytes";

// A limit, the file that takes it, and what that file said before.
struct Step {
  const Limit* limit;
  std::string file;
  std::string before;
  bool done = false;
};

absl::StatusOr<std::string> Read(int root, const std::string& file) {
  BULKHEAD_ASSIGN_OR_RETURN(const base::UniqueFd fd,
                            base::OpenAt(root, file, O_RDONLY, base::Resolve::kInRoot));
  BULKHEAD_ASSIGN_OR_RETURN(std::string text, base::ReadAll(fd.get(), kMaxValueBytes));
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::Status Refused(const Limit& limit, const absl::Status& why) {
  return absl::InvalidArgumentError(absl::StrCat("linux.", limit.field, ": the kernel refuses ",
                                                 limit.value, ": ", why.message()));
}

// By how much more memory is in use than the limit would allow; 0 for other limits.
uint64_t Excess(int root, const std::string& directory, const Limit& limit) {
  uint64_t wanted = 0, used = 0;
  const char* file = limit.file == kMemoryMax     ? "/memory.current"
                     : limit.file == kMemoryMaxV1 ? "/memory.usage_in_bytes"
                                                  : nullptr;
  if (file == nullptr || !absl::SimpleAtoi(limit.value, &wanted)) return 0;
  const absl::StatusOr<std::string> text = Read(root, absl::StrCat(directory, file));
  if (!text.ok() || !absl::SimpleAtoi(*text, &used)) return 0;
  return used > wanted ? used - wanted : 0;
}

absl::Status InUse(const Limit& limit, uint64_t excess) {
  return absl::FailedPreconditionError(
      absl::StrCat("linux.", limit.field, ": ", excess, " bytes more are in use"));
}

// v2 would kill to get below memory.max; v1 refuses by itself.
absl::Status MakeRoom(int root, const std::string& directory, const Limit& limit) {
  if (limit.file != kMemoryMax) return absl::OkStatus();
  uint64_t excess = Excess(root, directory, limit);
  if (excess == 0) return absl::OkStatus();
  // Fails where not all of it could be had, which the second look tells.
  base::WriteKernelFile(root, absl::StrCat(directory, "/memory.reclaim"), absl::StrCat(excess))
      .IgnoreError();
  excess = Excess(root, directory, limit);
  return excess == 0 ? absl::OkStatus() : InUse(limit, excess);
}

absl::Status Write(int root, const std::string& directory, Step* step) {
  const Limit& limit = *step->limit;
  BULKHEAD_RETURN_IF_ERROR(MakeRoom(root, directory, limit));
  const absl::Status written = base::WriteKernelFile(root, step->file, limit.value);
  if (!written.ok()) {
    const uint64_t excess = Excess(root, directory, limit);
    return excess == 0 ? Refused(limit, written) : InUse(limit, excess);
  }
  step->done = true;
  return absl::OkStatus();
}

void PutBack(int root, const std::vector<Step>& steps) {
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    // What cannot be put back stays: the caller is told of the failure anyway.
    if (step->done) base::WriteKernelFile(root, step->file, step->before).IgnoreError();
  }
}

}  // namespace

absl::Status ApplyLimits(int root, const std::string& path, bool v2,
                         const std::vector<Limit>& limits) {
  const auto directory = [&](const Limit& limit) {
    return v2 ? path.substr(1) : absl::StrCat(limit.controller, path);
  };
  std::vector<Step> steps;
  for (const Limit& limit : limits) {
    Step step = {&limit, absl::StrCat(directory(limit), "/", limit.file)};
    absl::StatusOr<std::string> before = Read(root, step.file);
    if (absl::IsNotFound(before.status()) && limit.optional) continue;
    if (absl::IsNotFound(before.status())) {
      return absl::FailedPreconditionError(
          absl::StrCat("linux.", limit.field, ": this node's cgroups have no ", limit.file));
    }
    if (!before.ok()) return Refused(limit, before.status());
    step.before = *std::move(before);
    steps.push_back(std::move(step));
  }
  absl::Status last;
  for (int round = 0; round < 2; ++round) {
    last = absl::OkStatus();
    for (Step& step : steps) {
      if (!step.done) last.Update(Write(root, directory(*step.limit), &step));
    }
    if (last.ok()) return last;
  }
  PutBack(root, steps);
  return last;
}

}  // namespace bulkhead::cgroup
