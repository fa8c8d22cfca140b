#include "ipc/status_codec.h"

#include <algorithm>

#include "absl/strings/string_view.h"

namespace bulkhead::ipc {
namespace {

constexpr size_t kMaxMessage = 4096;

// Cuts at 4 KiB, not inside a UTF-8 sequence: protobuf refuses a broken one later.
absl::string_view Cut(absl::string_view message) {
  if (message.size() <= kMaxMessage) return message;
  size_t end = kMaxMessage;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;
  return message.substr(0, end);
}

uint16_t ToWire(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnauthenticated:
      return static_cast<uint16_t>(code);
    case absl::StatusCode::kDoNotUseReservedForFutureExpansionUseDefaultInSwitchInstead_:
      break;
  }
  return static_cast<uint16_t>(absl::StatusCode::kUnknown);
}

absl::StatusCode FromWire(uint16_t code) {
  constexpr uint16_t kLast = static_cast<uint16_t>(absl::StatusCode::kUnauthenticated);
  if (code > kLast) return absl::StatusCode::kUnknown;
  return static_cast<absl::StatusCode>(code);
}

}  // namespace

void WriteStatus(const absl::Status& status, schema::Status::Builder out) {
  out.setCode(ToWire(status.code()));
  const absl::string_view message = Cut(status.message());
  if (message.empty()) {
    // A builder may hold the text of an earlier status.
    if (out.hasMessage()) out.setMessage("");
    return;
  }
  kj::ArrayPtr<char> text = out.initMessage(static_cast<unsigned>(message.size()));
  std::copy(message.begin(), message.end(), text.begin());
}

absl::Status ReadStatus(schema::Status::Reader in) {
  const absl::StatusCode code = FromWire(in.getCode());
  if (code == absl::StatusCode::kOk) return absl::OkStatus();
  const capnp::Text::Reader text = in.getMessage();
  return absl::Status(code, Cut(absl::string_view(text.begin(), text.size())));
}

}  // namespace bulkhead::ipc
