#include "worker/cni/plugin_link.h"

#include <capnp/message.h>

#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"

namespace bulkhead::cni {
namespace {

constexpr size_t kMaxOutputBytes = 256 << 10;
constexpr size_t kMaxReplyBytes = kMaxOutputBytes + (16 << 10);

absl::Status TakeReply(schema::NetworkReply::Reader reply, PluginOutput* output) {
  BULKHEAD_RETURN_IF_ERROR(ipc::ReadStatus(reply.getStatus()));
  output->exit_code = reply.getExitCode();
  const auto text = reply.getStdout().asChars();
  output->text.assign(text.begin(), text.size());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PluginOutput> PluginLink::Run(const std::string& plugin,
                                             schema::NetworkRequest::Command command,
                                             absl::string_view input) {
  capnp::MallocMessageBuilder message;
  auto request = message.initRoot<schema::NetworkRequest>();
  request.setPlugin(plugin);
  request.setCommand(command);
  request.setStdin(kj::arrayPtr(reinterpret_cast<const kj::byte*>(input.data()), input.size()));
  // The other side has a deadline for each plugin, and the broker one for both of us.
  BULKHEAD_RETURN_IF_ERROR(ipc::Send(socket_, message, {}, base::Deadline::Never()));
  BULKHEAD_ASSIGN_OR_RETURN(
      ipc::Received received,
      ipc::Receive(socket_, {.max_bytes = kMaxReplyBytes, .max_fds = 0}, base::Deadline::Never()));
  PluginOutput output;
  BULKHEAD_RETURN_IF_ERROR(
      ipc::Guarded([&] { return TakeReply(received.As<schema::NetworkReply>(), &output); }));
  return output;
}

}  // namespace bulkhead::cni
