#include "worker/layer/entry_name.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace bulkhead::worker {
namespace {

constexpr absl::string_view kWhiteoutPrefix = ".wh.";
constexpr absl::string_view kReservedPrefix = ".wh..wh.";
constexpr absl::string_view kOpaqueName = ".wh..wh..opq";
constexpr size_t kMaxComponent = 255;

absl::Status CheckComponent(absl::string_view component) {
  if (component == "..") return absl::InvalidArgumentError("name holds '..'");
  if (component.size() > kMaxComponent) {
    return absl::InvalidArgumentError("name holds a component over 255 bytes");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EntryName> CleanEntryName(absl::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("name is empty");
  if (name.size() > kMaxNameBytes) return absl::InvalidArgumentError("name is over 4096 bytes");
  std::vector<absl::string_view> components;
  for (absl::string_view component : absl::StrSplit(name, '/')) {
    if (component.empty() || component == ".") continue;
    if (absl::Status status = CheckComponent(component); !status.ok()) return status;
    components.push_back(component);
  }
  if (components.size() > kMaxNameDepth) {
    return absl::InvalidArgumentError("name is over 256 directories deep");
  }
  if (components.empty()) return EntryName{};
  EntryName out;
  out.leaf = std::string(components.back());
  components.pop_back();
  for (absl::string_view component : components) {
    if (absl::StartsWith(component, kWhiteoutPrefix)) {
      return absl::InvalidArgumentError("name lies below a whiteout");
    }
  }
  out.parent = absl::StrJoin(components, "/");
  return out;
}

absl::StatusOr<Whiteout> ParseWhiteout(absl::string_view leaf) {
  if (!absl::StartsWith(leaf, kWhiteoutPrefix)) return Whiteout{};
  if (leaf == kOpaqueName) return Whiteout{WhiteoutKind::kOpaque, ""};
  if (absl::StartsWith(leaf, kReservedPrefix)) return Whiteout{WhiteoutKind::kReserved, ""};
  absl::string_view hides = leaf.substr(kWhiteoutPrefix.size());
  if (hides.empty() || hides == "." || hides == "..") {
    return absl::InvalidArgumentError("whiteout hides no name");
  }
  return Whiteout{WhiteoutKind::kName, std::string(hides)};
}

}  // namespace bulkhead::worker
