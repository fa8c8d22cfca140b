#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/streaming.capnp.h"

// What a request asks for, of its target and headers alone.
namespace bulkhead::streaming {

struct Target {
  schema::StreamVerb verb;
  std::string token;  // 64 hex digits
};
// "/exec/TOKEN", "/attach/TOKEN", "/portforward/TOKEN", with a query or without. Nothing for
// anything else.
std::optional<Target> ParseTarget(absl::string_view target);

// The first of the client's protocols ("a, b") that we have. Empty: none.
std::string Choose(absl::string_view offered, absl::Span<const absl::string_view> ours);

// Our protocols.
absl::Span<const absl::string_view> SpdyProtocols(schema::StreamVerb verb);
absl::Span<const absl::string_view> WebSocketProtocols(schema::StreamVerb verb);

inline constexpr absl::string_view kTunnelProtocol = "SPDY/3.1+portforward.k8s.io";

// v4 and v5: the error stream has JSON. A port-forward's error stream has text in all.
bool HasJsonStatus(absl::string_view protocol);

}  // namespace bulkhead::streaming
