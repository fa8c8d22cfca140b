#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/container.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

constexpr int kMaxPorts = 64;

// The streams of an exec or attach, which both requests name alike.
template <typename Request, typename Params>
absl::Status SetStreams(const Request& request, Params params) {
  params.setTty(request.tty());
  params.setStdin(request.stdin());
  params.setStdout(request.stdout());
  params.setStderr(request.stderr());
  return validate::CheckStreams(request.tty(), request.stdin(), request.stdout(), request.stderr());
}

}  // namespace

absl::Status Exec(const Call& call, const v1::ExecRequest& request, v1::ExecResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  Question<Broker::ExecParams> question;
  auto params = question.params();
  params.setId(Text(request.container_id()));
  ToTexts(request.cmd(), [&](unsigned size) { return params.initArgv(size); });
  BULKHEAD_RETURN_IF_ERROR(validate::CheckArguments("cmd", params.asReader().getArgv()));
  BULKHEAD_RETURN_IF_ERROR(SetStreams(request, params));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer, Ask(call, &Broker::Client::execRequest, question));
  response.set_url(answer.results().getUrl().cStr());
  return absl::OkStatus();
}

absl::Status Attach(const Call& call, const v1::AttachRequest& request,
                    v1::AttachResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  Question<Broker::AttachParams> question;
  question.params().setId(Text(request.container_id()));
  BULKHEAD_RETURN_IF_ERROR(SetStreams(request, question.params()));
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer, Ask(call, &Broker::Client::attachRequest, question));
  response.set_url(answer.results().getUrl().cStr());
  return absl::OkStatus();
}

absl::Status PortForward(const Call& call, const v1::PortForwardRequest& request,
                         v1::PortForwardResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("pod_sandbox_id", "pod", request.pod_sandbox_id()));
  if (request.port_size() > kMaxPorts) return validate::Refuse("port", "too many");
  Question<Broker::PortForwardParams> question;
  question.params().setPodId(Text(request.pod_sandbox_id()));
  auto ports = question.params().initPorts(static_cast<unsigned>(request.port_size()));
  for (int i = 0; i < request.port_size(); ++i) {
    if (request.port(i) < 1 || request.port(i) > UINT16_MAX) {
      return validate::Refuse("port", "must be 1 to 65535");
    }
    ports.set(static_cast<unsigned>(i), static_cast<uint16_t>(request.port(i)));
  }
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::portForwardRequest, question));
  response.set_url(answer.results().getUrl().cStr());
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
