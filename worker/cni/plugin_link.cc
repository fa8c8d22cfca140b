#include "worker/cni/plugin_link.h"

#include <capnp/message.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
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

const char* Name(schema::NetworkRequest::Command command) {
  switch (command) {
    case schema::NetworkRequest::Command::ADD:
      return "ADD";
    case schema::NetworkRequest::Command::DEL:
      return "DEL";
    case schema::NetworkRequest::Command::CHECK:
      return "CHECK";
    case schema::NetworkRequest::Command::VERSION:
      return "VERSION";
    case schema::NetworkRequest::Command::GC:
      return "GC";
    case schema::NetworkRequest::Command::STATUS:
      return "STATUS";
  }
  return "?";
}

}  // namespace

absl::StatusOr<PluginOutput> PluginLink::Run(const std::string& plugin,
                                             schema::NetworkRequest::Command command,
                                             absl::string_view input) {
  const absl::Time begin = absl::Now();
  absl::StatusOr<PluginOutput> output = Ask(plugin, command, input);
  steps_.push_back(
      {absl::StrCat(plugin, " ", Name(command)), absl::ToInt64Microseconds(absl::Now() - begin)});
  return output;
}

absl::StatusOr<PluginOutput> PluginLink::Ask(const std::string& plugin,
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
