#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cri/v1/api.grpc.pb.h"

namespace bulkhead::tools {

namespace cri = ::runtime::v1;

// A CRI client, as small as the commands need it. Calls are made by one thread; Cancel may come
// from another.
class CriClient {
 public:
  using Runtime = cri::RuntimeService::Stub;
  using Image = cri::ImageService::Stub;

  // socket: path of the CRI socket. Connects with the first call.
  explicit CriClient(const std::string& socket);

  // One call with this deadline, for example Call(&CriClient::Runtime::Version, request, timeout).
  // The service's code and message come back as they are; CANCELLED after Cancel; UNAVAILABLE where
  // nobody listens.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Runtime::*method)(grpc::ClientContext*,
                                                                const Request&, Response*),
                                const Request& request, absl::Duration timeout) {
    return Do<Request, Response>(*runtime_, method, request, timeout);
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Image::*method)(grpc::ClientContext*, const Request&,
                                                              Response*),
                                const Request& request, absl::Duration timeout) {
    return Do<Request, Response>(*image_, method, request, timeout);
  }

  // Ends the call under way, and each one to come until Resume.
  void Cancel();
  // For cleaning up after Cancel.
  void Resume();

 private:
  template <typename Request, typename Response, typename Stub>
  absl::StatusOr<Response> Do(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request, absl::Duration timeout) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    if (!Begin(&context)) return absl::CancelledError("interrupted");
    Response response;
    grpc::Status status = (stub.*method)(&context, request, &response);
    Begin(nullptr);
    if (status.ok()) return response;
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
  // Sets what Cancel would cancel. False: cancelled already.
  bool Begin(grpc::ClientContext* context);

  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Image> image_;
  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;
  bool cancelled_ = false;
};

}  // namespace bulkhead::tools
