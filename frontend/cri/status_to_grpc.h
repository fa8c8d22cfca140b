#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace bulkhead::frontend {

// The one place where an outcome becomes a gRPC status. Called by instrumented_service.cc alone.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace bulkhead::frontend
