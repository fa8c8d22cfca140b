#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "ipc/attach_protocol.h"
#include "streaming/broker_link.h"
#include "streaming/kube_json.h"
#include "streaming/link.h"
#include "streaming/pump.h"

namespace bulkhead::streaming {

// The streams of one exec or attach; empty where the client was promised none.
struct CommandStreams {
  StreamPtr error, in, out, err, resize;
};

// What exec and attach have in common: the resize stream, and the word at the end.
class Command {
 public:
  // json_status: the error stream has metav1.Status (v4 and later), else text where something went
  // wrong. finish: after the last word.
  Command(asio::io_context& io, CommandStreams streams, bool json_status,
          std::function<void()> finish);
  virtual ~Command() = default;
  Command(const Command&) = delete;

  // fds: what the broker gave for start.
  virtual absl::Status Begin(std::vector<base::UniqueFd> fds) = 0;
  void FinishWith(const absl::Status& why);
  void FinishWith(int exit_code);

 protected:
  virtual void Resize(const TerminalSize& size) = 0;

  asio::io_context& io_;
  CommandStreams streams_;
  std::optional<TerminalSize> size_;  // the last one that was asked for

 private:
  void Finish(const std::string& status);

  const bool json_status_;
  std::function<void()> finish_;
  SizeReader sizes_;
};

std::unique_ptr<Command> MakeExec(asio::io_context& io, const Grant& grant, CommandStreams streams,
                                  bool json_status, std::function<void()> finish);
std::unique_ptr<Command> MakeAttach(asio::io_context& io, const Grant& grant,
                                    CommandStreams streams, bool json_status,
                                    std::function<void()> finish);

}  // namespace bulkhead::streaming
