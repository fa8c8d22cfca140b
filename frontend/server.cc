#include "frontend/server.h"

#include <grpc/support/log.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <chrono>

#include "base/log.h"
#include "frontend/cri/instrumented_service.h"

namespace bulkhead::frontend {
namespace {

// What one client may take (V51). kubelet's own limit for a message is 16 MiB.
constexpr int kMaxMessageBytes = 16 << 20;
constexpr int kMaxStreams = 256;
constexpr int kMaxMetadataBytes = 16 << 10;
constexpr int kKeepaliveMs = 60 * 1000;
constexpr int kKeepaliveTimeoutMs = 20 * 1000;
// A call blocks its thread. More calls than this at once are refused with RESOURCE_EXHAUSTED. Below
// the profile's limit of threads, which gRPC's own and the broker's come on top of.
constexpr int kMaxThreads = 192;
constexpr size_t kMaxMemoryBytes = 128 << 20;

void ToLog(gpr_log_func_args* args) {
  const base::Severity severity = args->severity == GPR_LOG_SEVERITY_ERROR
                                      ? base::Severity::kWarning
                                      : base::Severity::kDebug;
  base::Log(severity, "grpc", {{"message", args->message}});
}

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  // A peer that is silent, even before its first frame, is dropped after these two together.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  grpc::ResourceQuota quota("cri");
  quota.SetMaxThreads(kMaxThreads);
  quota.Resize(kMaxMemoryBytes);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 4);
}

}  // namespace

void SetUpGrpc() {
  gpr_set_log_function(&ToLog);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

Server::Server(const Call& prototype)
    : runtime_(MakeRuntimeService(prototype)), images_(MakeImageService(prototype)) {
  grpc::ServerBuilder builder;
  SetLimits(builder);
  builder.RegisterService(runtime_.get());
  builder.RegisterService(images_.get());
  server_ = builder.BuildAndStart();
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

void Server::Serve(base::UniqueFd connection) {
  grpc::AddInsecureChannelFromFd(server_.get(), connection.Release());
}

void Server::Shutdown(absl::Duration grace) {
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace));
}

}  // namespace bulkhead::frontend
