#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "schema/streaming.capnp.h"

namespace bulkhead::streaming {

// What a token was worth.
struct Grant {
  schema::StreamVerb verb = schema::StreamVerb::EXEC;
  bool tty = false;
  bool in = false;
  bool out = false;
  bool err = false;
  std::vector<uint16_t> ports;
};

// This connection's socket to the broker (schema/streaming.capnp).
class BrokerLink {
 public:
  explicit BrokerLink(base::UniqueFd socket) : socket_(std::move(socket)) {}

  // token: 64 hex digits, as the URL has it. NOT_FOUND for whatever is wrong with it.
  absl::StatusOr<Grant> Redeem(schema::StreamVerb verb, absl::string_view token);
  // Waits for the command to start, or the monitor to be asked.
  absl::StatusOr<std::vector<base::UniqueFd>> Start();

  // The two halves of a connect: after the first, fd() becomes readable when the second can be had
  // at once.
  absl::Status AskConnect(uint16_t port);
  absl::StatusOr<base::UniqueFd> TakeConnect();
  int fd() const { return socket_.get(); }
  void Close() { socket_.Reset(); }

 private:
  base::UniqueFd socket_;
};

}  // namespace bulkhead::streaming
