#include <sys/ioctl.h>

#include "base/status.h"
#include "ipc/exec_protocol.h"
#include "streaming/command.h"

namespace bulkhead::streaming {
namespace {

using boost::system::error_code;

// After the command's end: how long a process that it left behind may keep the streams open without
// a word.
constexpr std::chrono::milliseconds kDrainPatience{500};

class Exec : public Command {
 public:
  Exec(asio::io_context& io, const Grant& grant, CommandStreams streams, bool json_status,
       std::function<void()> finish)
      : Command(io, std::move(streams), json_status, std::move(finish)),
        grant_(grant),
        end_(io),
        drain_(io) {}

  absl::Status Begin(std::vector<base::UniqueFd> fds) override;

 private:
  void Resize(const TerminalSize& size) override;
  absl::Status BeginTerminal(base::UniqueFd terminal);
  void AddSource(base::UniqueFd fd, const StreamPtr& stream);
  void AwaitEnd();
  void Drain();
  void MaybeDone();

  const Grant grant_;
  std::shared_ptr<Sink> in_;
  std::vector<std::shared_ptr<Source>> sources_;
  size_t open_sources_ = 0;
  base::UniqueFd terminal_;
  asio::posix::stream_descriptor end_;
  ipc::ExecEnd how_ = {};
  bool ended_ = false;
  uint64_t drained_ = 0;
  asio::steady_timer drain_;
};

absl::Status Exec::Begin(std::vector<base::UniqueFd> fds) {
  const size_t pipes = grant_.tty ? 1 : size_t{grant_.in} + grant_.out + grant_.err;
  if (fds.size() != 1 + pipes) return absl::InternalError("not the descriptors of a command");
  end_.assign(fds[0].Release());
  if (grant_.tty) {
    BULKHEAD_RETURN_IF_ERROR(BeginTerminal(std::move(fds[1])));
  } else {
    size_t next = 1;
    // The command sees the end of its input when this descriptor closes.
    if (grant_.in) {
      in_ = Sink::Begin(io_, std::move(fds[next++]), streams_.in, [this] { in_->Stop(); });
    }
    if (grant_.out) AddSource(std::move(fds[next++]), streams_.out);
    if (grant_.err) AddSource(std::move(fds[next++]), streams_.err);
  }
  AwaitEnd();
  return absl::OkStatus();
}

absl::Status Exec::BeginTerminal(base::UniqueFd terminal) {
  BULKHEAD_ASSIGN_OR_RETURN(terminal_, base::Duplicate(terminal.get()));
  if (size_) Resize(*size_);
  if (grant_.in) {
    BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd in, base::Duplicate(terminal.get()));
    in_ = Sink::Begin(io_, std::move(in), streams_.in, [] {});
  }
  if (grant_.out) AddSource(std::move(terminal), streams_.out);
  return absl::OkStatus();
}

void Exec::AddSource(base::UniqueFd fd, const StreamPtr& stream) {
  ++open_sources_;
  sources_.push_back(Source::Begin(io_, std::move(fd), stream, [this] {
    --open_sources_;
    MaybeDone();
  }));
}

void Exec::Resize(const TerminalSize& size) {
  const winsize window = {.ws_row = size.rows, .ws_col = size.columns};
  if (terminal_) ioctl(terminal_.get(), TIOCSWINSZ, &window);
}

void Exec::AwaitEnd() {
  end_.async_read_some(asio::buffer(&how_, sizeof(how_)), [this](error_code error, size_t size) {
    if (error || size != sizeof(how_)) {
      return FinishWith(absl::UnavailableError("the process that ran the command was lost"));
    }
    ended_ = true;
    if (in_ != nullptr) in_->Stop();
    MaybeDone();
    if (open_sources_ > 0) Drain();
  });
}

// Goes on as long as something comes, or the client is the slower one.
void Exec::Drain() {
  drain_.expires_after(kDrainPatience);
  drain_.async_wait([this](error_code) {
    if (open_sources_ == 0) return;
    uint64_t now = 0;
    bool blocked = false;
    for (const auto& source : sources_) {
      now += source->read();
      blocked |= source->blocked();
    }
    if (blocked || std::exchange(drained_, now) != now) return Drain();
    for (const auto& source : sources_) source->Stop();
    open_sources_ = 0;
    MaybeDone();
  });
}

void Exec::MaybeDone() {
  if (ended_ && open_sources_ == 0) FinishWith(how_.exit_code);
}

}  // namespace

std::unique_ptr<Command> MakeExec(asio::io_context& io, const Grant& grant, CommandStreams streams,
                                  bool json_status, std::function<void()> finish) {
  return std::make_unique<Exec>(io, grant, std::move(streams), json_status, std::move(finish));
}

}  // namespace bulkhead::streaming
