#include "streaming/kube_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace bulkhead::streaming {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxSizeText = 1024;
constexpr int kInternalServerError = 500;

Json Failure(const std::string& message, const char* reason) {
  return {{"metadata", Json::object()},
          {"status", "Failure"},
          {"message", message},
          {"reason", reason}};
}

// Text that came from a runtime or a container need not be UTF-8.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

uint16_t Number(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return 0;
  const uint64_t value = found->get<uint64_t>();
  return value <= UINT16_MAX ? static_cast<uint16_t>(value) : 0;
}

}  // namespace

std::string SuccessStatus() { return Dump({{"metadata", Json::object()}, {"status", "Success"}}); }

std::string ExitStatus(int exit_code) {
  if (exit_code == 0) return SuccessStatus();
  Json json =
      Failure(absl::StrCat("command terminated with non-zero exit code: exit code ", exit_code),
              "NonZeroExitCode");
  const Json cause = {{"reason", "ExitCode"}, {"message", absl::StrCat(exit_code)}};
  json["details"] = {{"causes", Json::array({cause})}};
  return Dump(json);
}

std::string FailureStatus(const absl::Status& why) {
  const std::string text(why.message());
  Json json = Failure("Internal error occurred: " + text, "InternalError");
  json["details"] = {{"causes", Json::array({Json{{"message", text}}})}};
  json["code"] = kInternalServerError;
  return Dump(json);
}

TerminalSize SizeReader::Read(absl::string_view bytes) {
  TerminalSize last;
  for (char c : bytes) {
    if (c == '{') text_.clear();
    if (text_.size() < kMaxSizeText) text_.push_back(c);
    if (c != '}') continue;
    const Json json = Json::parse(text_, nullptr, false);
    text_.clear();
    if (!json.is_object()) continue;
    const TerminalSize size = {Number(json, "Width"), Number(json, "Height")};
    if (size.columns > 0 && size.rows > 0) last = size;
  }
  return last;
}

}  // namespace bulkhead::streaming
