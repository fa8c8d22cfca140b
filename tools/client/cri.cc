#include "tools/client/cri.h"

namespace bulkhead::tools {
namespace {

// ExecSync and big lists answer with more than gRPC's 4 MiB.
constexpr int kMaxAnswerBytes = 48 << 20;

}  // namespace

CriClient::CriClient(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
  runtime_ = cri::RuntimeService::NewStub(channel);
  image_ = cri::ImageService::NewStub(channel);
}

bool CriClient::Begin(grpc::ClientContext* context) {
  std::lock_guard<std::mutex> lock(mutex_);
  context_ = context;
  return !cancelled_;
}

void CriClient::Cancel() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

void CriClient::Resume() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = false;
}

}  // namespace bulkhead::tools
