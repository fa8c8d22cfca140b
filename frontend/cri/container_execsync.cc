#include <algorithm>

#include "base/status.h"
#include "frontend/cri/checks.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/rpcs.h"
#include "validate/container.h"
#include "validate/text.h"

namespace bulkhead::frontend {
namespace {

// kubelet refuses an answer of more than 16 MiB as a whole, and would then know nothing of the exit
// code.
constexpr size_t kMaxOutputBytes = (16 << 20) - (64 << 10);

// CRI has no field for it.
constexpr char kWasCut[] = "\nbulkhead: more than 16 MiB of output, the rest was dropped\n";

std::string Cut(capnp::Data::Reader data, size_t max) {
  return String(data.slice(0, std::min(data.size(), max)));
}

}  // namespace

absl::Status ExecSync(const Call& call, const v1::ExecSyncRequest& request,
                      v1::ExecSyncResponse& response) {
  BULKHEAD_RETURN_IF_ERROR(CheckId("container_id", "container", request.container_id()));
  if (request.timeout() < 0) return validate::Refuse("timeout", "must not be negative");
  Question<Broker::ExecSyncParams> question;
  auto params = question.params();
  params.setId(Text(request.container_id()));
  params.setTimeoutSeconds(request.timeout());
  ToTexts(request.cmd(), [&](unsigned size) { return params.initArgv(size); });
  BULKHEAD_RETURN_IF_ERROR(validate::CheckArguments("cmd", params.asReader().getArgv()));

  // A life cycle hook has no timeout and may take as long as its pod's grace period.
  const absl::Duration limit =
      request.timeout() == 0 ? kLongLimit : kUsualLimit + absl::Seconds(request.timeout());
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer,
                            Ask(call, &Broker::Client::execSyncRequest, question, limit));
  const auto results = answer.results();
  response.set_stdout(Cut(results.getStdout(), kMaxOutputBytes));
  response.set_stderr(Cut(results.getStderr(), kMaxOutputBytes - response.stdout().size()));
  if (results.getStdout().size() + results.getStderr().size() > kMaxOutputBytes) {
    response.mutable_stderr()->append(kWasCut);
  }
  response.set_exit_code(results.getExitCode());
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
