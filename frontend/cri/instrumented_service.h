#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>

#include "frontend/cri/call.h"

// The two services of CRI over the functions of rpcs.h. What every RPC needs is here, once: a log
// line with method, code and duration and never contents, the count, the mapping of the outcome.
namespace bulkhead::frontend {

// What is referred to must outlive the service. client_deadline of the prototype is not used.
std::unique_ptr<grpc::Service> MakeRuntimeService(const Call& prototype);
std::unique_ptr<grpc::Service> MakeImageService(const Call& prototype);

}  // namespace bulkhead::frontend
