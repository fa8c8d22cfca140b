#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {

absl::Status Version(const Call&, const v1::VersionRequest&, v1::VersionResponse& response) {
  response.set_version("0.1.0");  // of kubelet's side of the interface
  response.set_runtime_name("bulkhead");
  response.set_runtime_version(BULKHEAD_VERSION);
  response.set_runtime_api_version("v1");
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
