#include "streaming/command.h"

namespace bulkhead::streaming {

Command::Command(asio::io_context& io, CommandStreams streams, bool json_status,
                 std::function<void()> finish)
    : io_(io), streams_(std::move(streams)), json_status_(json_status), finish_(std::move(finish)) {
  if (streams_.resize == nullptr) return;
  streams_.resize->Take(
      [this](absl::string_view bytes) {
        streams_.resize->Consumed(bytes.size());
        const TerminalSize size = sizes_.Read(bytes);
        if (size.columns == 0) return;
        size_ = size;
        Resize(size);
      },
      [] {});
}

void Command::FinishWith(const absl::Status& why) {
  Finish(json_status_ ? FailureStatus(why) : std::string(why.message()));
}

void Command::FinishWith(int exit_code) {
  if (json_status_) return Finish(ExitStatus(exit_code));
  Finish(exit_code == 0 ? ""
                        : "command terminated with non-zero exit code: exit code " +
                              std::to_string(exit_code));
}

void Command::Finish(const std::string& status) {
  if (finish_ == nullptr) return;
  if (streams_.out != nullptr) streams_.out->End();
  if (streams_.err != nullptr) streams_.err->End();
  streams_.error->Write(status);
  streams_.error->End();
  std::exchange(finish_, nullptr)();
}

}  // namespace bulkhead::streaming
