#include <algorithm>
#include <array>
#include <cstring>

#include "streaming/command.h"

namespace bulkhead::streaming {
namespace {

using boost::system::error_code;
using ipc::AttachTag;

class Attach : public Command {
 public:
  Attach(asio::io_context& io, const Grant& grant, CommandStreams streams, bool json_status,
         std::function<void()> finish)
      : Command(io, std::move(streams), json_status, std::move(finish)),
        grant_(grant),
        monitor_(io) {}

  absl::Status Begin(std::vector<base::UniqueFd> fds) override;

 private:
  void Resize(const TerminalSize& size) override;
  void TakeInput(absl::string_view bytes);
  void SendNext();
  void SendPacket(AttachTag tag, absl::string_view bytes);
  void Read();
  void GiveOutput();

  const Grant grant_;
  asio::posix::stream_descriptor monitor_;  // one read or write is one packet
  // To the monitor.
  std::string input_;
  bool input_ended_ = false;
  bool sending_ = false;
  std::string packet_;
  // From it.
  std::array<char, 1 + ipc::kMaxAttachOutput> buffer_;
  absl::string_view output_;  // of buffer_: what the client has not taken yet
  StreamPtr output_stream_;
};

absl::Status Attach::Begin(std::vector<base::UniqueFd> fds) {
  if (fds.size() != 1) return absl::InternalError("not the monitor's descriptor");
  monitor_.assign(fds[0].Release());
  if (size_) Resize(*size_);
  for (const StreamPtr& stream : {streams_.out, streams_.err}) {
    if (stream != nullptr) stream->WhenRoom([this] { GiveOutput(); });
  }
  if (streams_.in != nullptr) {
    streams_.in->Take([this](absl::string_view bytes) { TakeInput(bytes); },
                      [this] {
                        input_ended_ = true;
                        SendNext();
                      });
  }
  Read();
  return absl::OkStatus();
}

void Attach::TakeInput(absl::string_view bytes) {
  input_.append(bytes.data(), bytes.size());
  SendNext();
}

void Attach::SendNext() {
  if (sending_ || !monitor_.is_open()) return;
  if (!input_.empty()) {
    const size_t size = std::min(input_.size(), ipc::kMaxAttachInput);
    SendPacket(AttachTag::kStdin, absl::string_view(input_).substr(0, size));
    input_.erase(0, size);
    streams_.in->Consumed(size);
  } else if (size_) {
    const ipc::AttachSize size = {.columns = size_->columns, .rows = size_->rows};
    size_.reset();
    SendPacket(AttachTag::kResize, {reinterpret_cast<const char*>(&size), sizeof(size)});
  } else if (std::exchange(input_ended_, false)) {
    SendPacket(AttachTag::kEnd, "");
  }
}

void Attach::SendPacket(AttachTag tag, absl::string_view bytes) {
  sending_ = true;
  packet_.assign(1, static_cast<char>(tag));
  packet_.append(bytes.data(), bytes.size());
  monitor_.async_write_some(asio::buffer(packet_), [this](error_code error, size_t) {
    sending_ = false;
    if (!error) SendNext();  // an error shows at the next read
  });
}

// Of several that come while one is under way, the last one counts.
void Attach::Resize(const TerminalSize&) { SendNext(); }

void Attach::Read() {
  monitor_.async_read_some(asio::buffer(buffer_), [this](error_code error, size_t size) {
    if (error || size == 0) return FinishWith(0);  // the container has ended
    const auto tag = static_cast<AttachTag>(buffer_[0]);
    output_stream_ = tag == AttachTag::kStderr ? streams_.err : streams_.out;
    output_ = absl::string_view(buffer_.data(), size).substr(1);
    GiveOutput();
  });
}

void Attach::GiveOutput() {
  if (output_.empty()) return;
  if (output_stream_ != nullptr) {
    const size_t size = std::min(output_.size(), output_stream_->Room());
    const absl::string_view part = output_.substr(0, size);
    output_.remove_prefix(size);
    if (size > 0) output_stream_->Write(part);
    if (!output_.empty()) return;
  }
  output_ = {};
  Read();
}

}  // namespace

std::unique_ptr<Command> MakeAttach(asio::io_context& io, const Grant& grant,
                                    CommandStreams streams, bool json_status,
                                    std::function<void()> finish) {
  return std::make_unique<Attach>(io, grant, std::move(streams), json_status, std::move(finish));
}

}  // namespace bulkhead::streaming
