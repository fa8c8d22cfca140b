#include "worker/lxc/state.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::lxc {
namespace {

constexpr char kFile[] = "lxc.state";
constexpr char kNewFile[] = "lxc.state.new";
constexpr size_t kMaxStatBytes = 4096;
constexpr size_t kStartField = 19;  // of /proc/PID/stat, after the name

}  // namespace

absl::Status SaveState(const container::Place& place, const State& state) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd bundle, container::OpenBundle(place));
  unlinkat(bundle.get(), kNewFile, 0);
  BULKHEAD_RETURN_IF_ERROR(container::WriteBundleFile(
      place, kNewFile,
      absl::StrCat(state.cgroup, "\n", state.keeper, "\n", state.keeper_start, "\n", state.first,
                   "\n", state.namespaces, "\n", state.root_id)));
  if (renameat(bundle.get(), kNewFile, bundle.get(), kFile) == 0) return absl::OkStatus();
  return base::ErrnoStatus("store the container's state");
}

absl::StatusOr<State> LoadState(const container::Place& place) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text, container::ReadBundleFile(place, kFile));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  State state;
  if (lines.size() != 6 || !absl::SimpleAtoi(lines[1], &state.keeper) ||
      !absl::SimpleAtoi(lines[2], &state.keeper_start) ||
      !absl::SimpleAtoi(lines[3], &state.first) || !absl::SimpleAtoi(lines[4], &state.namespaces) ||
      !absl::SimpleAtoi(lines[5], &state.root_id)) {
    return absl::DataLossError("bundle: the container's state is damaged");
  }
  state.cgroup = lines[0];
  return state;
}

uint64_t StartOf(pid_t pid) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(absl::StrCat("/proc/", pid, "/stat"), kMaxStatBytes);
  if (!text.ok() || text->rfind(')') == std::string::npos) return 0;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(*text).substr(text->rfind(')') + 1), ' ', absl::SkipEmpty());
  uint64_t start = 0;
  if (fields.size() <= kStartField || !absl::SimpleAtoi(fields[kStartField], &start)) return 0;
  return fields[0] == "Z" ? 0 : start;
}

bool IsAlive(const State& state) {
  return state.keeper > 1 && state.keeper_start != 0 && StartOf(state.keeper) == state.keeper_start;
}

}  // namespace bulkhead::lxc
