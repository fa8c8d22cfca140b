#include "streaming/request.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/ids.h"

namespace bulkhead::streaming {
namespace {

using schema::StreamVerb;

constexpr absl::string_view kSpdyCommand[] = {"v4.channel.k8s.io", "v3.channel.k8s.io",
                                              "v2.channel.k8s.io", "channel.k8s.io"};
constexpr absl::string_view kSpdyForward[] = {"portforward.k8s.io"};
constexpr absl::string_view kSocketCommand[] = {"v5.channel.k8s.io", "v4.channel.k8s.io",
                                                "v4.base64.channel.k8s.io", "channel.k8s.io",
                                                "base64.channel.k8s.io"};
constexpr absl::string_view kSocketForward[] = {kTunnelProtocol, "v4.channel.k8s.io",
                                                "v4.base64.channel.k8s.io"};

}  // namespace

std::optional<Target> ParseTarget(absl::string_view target) {
  constexpr std::pair<absl::string_view, StreamVerb> kVerbs[] = {
      {"/exec/", StreamVerb::EXEC},
      {"/attach/", StreamVerb::ATTACH},
      {"/portforward/", StreamVerb::PORT_FORWARD},
  };
  target = target.substr(0, target.find('?'));
  for (const auto& [prefix, verb] : kVerbs) {
    absl::string_view token = target;
    if (!absl::ConsumePrefix(&token, prefix)) continue;
    if (base::IsId(token)) return Target{verb, std::string(token)};
  }
  return std::nullopt;
}

std::string Choose(absl::string_view offered, absl::Span<const absl::string_view> ours) {
  for (absl::string_view one : absl::StrSplit(offered, ',')) {
    one = absl::StripAsciiWhitespace(one);
    if (std::find(ours.begin(), ours.end(), one) != ours.end()) return std::string(one);
  }
  return "";
}

absl::Span<const absl::string_view> SpdyProtocols(StreamVerb verb) {
  if (verb == StreamVerb::PORT_FORWARD) return kSpdyForward;
  return kSpdyCommand;
}

absl::Span<const absl::string_view> WebSocketProtocols(StreamVerb verb) {
  if (verb == StreamVerb::PORT_FORWARD) return kSocketForward;
  return kSocketCommand;
}

bool HasJsonStatus(absl::string_view protocol) {
  return absl::StartsWith(protocol, "v4.") || absl::StartsWith(protocol, "v5.");
}

}  // namespace bulkhead::streaming
