#include "worker/cni/version.h"

namespace bulkhead::cni {

bool IsSupportedVersion(absl::string_view version) {
  for (const char* known : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
    if (version == known) return true;
  }
  return false;
}

bool DelTakesPreviousResult(absl::string_view version) {
  return version != "0.3.0" && version != "0.3.1";
}

bool AddressesSayVersion(absl::string_view version) { return version[0] == '0'; }

}  // namespace bulkhead::cni
