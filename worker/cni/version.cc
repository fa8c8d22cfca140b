#include "worker/cni/version.h"

#include <algorithm>
#include <iterator>

namespace bulkhead::cni {

namespace {

constexpr absl::string_view kSupported[] = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

}  // namespace

bool IsSupportedVersion(absl::string_view version) {
  return std::find(std::begin(kSupported), std::end(kSupported), version) != std::end(kSupported);
}

std::string LatestSupported(const std::vector<std::string>& versions) {
  std::string latest;
  for (absl::string_view known : kSupported) {
    if (std::find(versions.begin(), versions.end(), known) != versions.end()) latest = std::string(known);
  }
  return latest;
}

bool DelTakesPreviousResult(absl::string_view version) {
  return version != "0.3.0" && version != "0.3.1";
}

bool HasCheck(absl::string_view version) { return DelTakesPreviousResult(version); }

bool HasStatusAndGc(absl::string_view version) { return version == "1.1.0"; }

bool AddressesSayVersion(absl::string_view version) { return version[0] == '0'; }

}  // namespace bulkhead::cni
