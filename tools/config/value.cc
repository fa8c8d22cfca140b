#include "tools/config/value.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clean_path.h"
#include "base/status.h"
#include "security/policy/glob.h"

namespace bulkhead::tools {
namespace {

constexpr size_t kMaxHostBytes = 253;
constexpr size_t kMaxTextBytes = 4096;

bool IsPort(absl::string_view text) {
  uint32_t port = 0;
  return text.size() <= 5 && absl::SimpleAtoi(text, &port) && port >= 1 && port <= 65535;
}

bool IsHostName(absl::string_view text) {
  if (text.empty() || text.size() > kMaxHostBytes) return false;
  if (!absl::ascii_isalnum(text.front()) || !absl::ascii_isalnum(text.back())) return false;
  for (char c : text) {
    if (!absl::ascii_isdigit(c) && !absl::ascii_islower(c) && c != '.' && c != '-') return false;
  }
  return true;
}

bool IsBracketedV6(absl::string_view text) {
  if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
  for (char c : text.substr(1, text.size() - 2)) {
    if (!absl::ascii_isxdigit(c) && c != ':' && c != '.') return false;
  }
  return true;
}

}  // namespace

bool IsHostPort(absl::string_view text) {
  size_t colon = text.rfind(':');
  bool has_port = colon != absl::string_view::npos && text.back() != ']';
  absl::string_view host = has_port ? text.substr(0, colon) : text;
  if (has_port && !IsPort(text.substr(colon + 1))) return false;
  return IsHostName(host) || IsBracketedV6(host);
}

bool IsProxyUrl(absl::string_view text) {
  bool scheme = absl::ConsumePrefix(&text, "http://") || absl::ConsumePrefix(&text, "https://") ||
                absl::ConsumePrefix(&text, "socks5h://") || absl::ConsumePrefix(&text, "socks5://");
  absl::ConsumeSuffix(&text, "/");
  size_t at = text.rfind('@');
  if (at != absl::string_view::npos) text.remove_prefix(at + 1);
  return scheme && IsHostPort(absl::AsciiStrToLower(text));
}

absl::Status Value::Error(absl::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat(file_, ":", node_.source().begin.line, ": key '", key_, "': ", what));
}

absl::Status Value::Text(std::string* out) const {
  const toml::value<std::string>* text = node_.as_string();
  if (text == nullptr) return Error("must be a string");
  if (text->get().size() > kMaxTextBytes) return Error("is over 4096 bytes");
  for (unsigned char c : text->get()) {
    if (c < 0x20 || c == 0x7f) return Error("holds a control character");
  }
  *out = text->get();
  return absl::OkStatus();
}

absl::Status Value::Path(std::string* out) const {
  std::string text;
  BULKHEAD_RETURN_IF_ERROR(Text(&text));
  absl::StatusOr<std::string> clean = base::CleanAbsolutePath("path", text);
  if (!clean.ok()) return Error(clean.status().message());
  *out = *std::move(clean);
  return absl::OkStatus();
}

absl::Status Value::Flag(bool* out) const {
  const toml::value<bool>* flag = node_.as_boolean();
  if (flag == nullptr) return Error("must be true or false");
  *out = flag->get();
  return absl::OkStatus();
}

absl::Status Value::Number(uint64_t min, uint64_t max, uint64_t* out) const {
  const toml::value<int64_t>* number = node_.as_integer();
  if (number == nullptr || number->get() < 0 || static_cast<uint64_t>(number->get()) < min ||
      static_cast<uint64_t>(number->get()) > max) {
    return Error(absl::StrCat("must be a whole number, ", min, " to ", max));
  }
  *out = static_cast<uint64_t>(number->get());
  return absl::OkStatus();
}

absl::Status Value::TextOrTexts(std::vector<std::string>* out) const {
  out->clear();
  if (!IsArray()) return Text(&out->emplace_back());
  return EachElement([out](absl::string_view, const Value& element) {
    return element.Text(&out->emplace_back());
  });
}

absl::Status Value::Number(uint32_t least, uint32_t most, uint32_t* out) const {
  uint64_t number = 0;
  BULKHEAD_RETURN_IF_ERROR(Number(uint64_t{least}, uint64_t{most}, &number));
  *out = static_cast<uint32_t>(number);
  return absl::OkStatus();
}

absl::Status Value::Paths(std::vector<std::string>* out) const {
  out->clear();
  return EachElement([out](absl::string_view, const Value& element) {
    return element.Path(&out->emplace_back());
  });
}

absl::Status Value::Port(uint16_t* out) const {
  const toml::value<int64_t>* number = node_.as_integer();
  if (number == nullptr || number->get() < 0 || number->get() > UINT16_MAX) {
    return Error("must be a port, 0 to 65535");
  }
  *out = static_cast<uint16_t>(number->get());
  return absl::OkStatus();
}

absl::Status Value::Uids(std::vector<uint32_t>* out) const {
  out->clear();
  return EachElement([out](absl::string_view, const Value& element) -> absl::Status {
    const toml::value<int64_t>* number = element.node_.as_integer();
    // The largest number is not a uid but the kernel's "none".
    if (number == nullptr || number->get() < 0 ||
        number->get() >= std::numeric_limits<uint32_t>::max()) {
      return element.Error("must be a user id, 0 to 4294967294");
    }
    out->push_back(static_cast<uint32_t>(number->get()));
    return absl::OkStatus();
  });
}

absl::Status Value::Glob(std::string* out) const {
  BULKHEAD_RETURN_IF_ERROR(Text(out));
  absl::Status good = security::CheckGlob(*out);
  return good.ok() ? good : Error(good.message());
}

absl::Status Value::Globs(std::vector<std::string>* out) const {
  out->clear();
  return EachElement([out](absl::string_view, const Value& element) {
    return element.Glob(&out->emplace_back());
  });
}

absl::Status Value::HostPort(std::string* out) const {
  BULKHEAD_RETURN_IF_ERROR(Text(out));
  if (!IsHostPort(*out)) return Error("must be host or host:port in lower case");
  return absl::OkStatus();
}

absl::Status Value::EachEntry(const Visitor& visit) const {
  const toml::table* table = node_.as_table();
  if (table == nullptr) return Error("must be a table");
  for (const auto& [key, node] : *table) {
    std::string name(key.str());
    std::string full = key_.empty() ? name : absl::StrCat(key_, ".", name);
    BULKHEAD_RETURN_IF_ERROR(visit(name, Value(node, file_, full)));
  }
  return absl::OkStatus();
}

absl::Status Value::EachEntryInFileOrder(const Visitor& visit) const {
  using Entry = std::pair<toml::source_position, std::function<absl::Status()>>;
  std::vector<Entry> entries;
  BULKHEAD_RETURN_IF_ERROR(EachEntry([&](absl::string_view name, const Value& value) {
    entries.emplace_back(value.node_.source().begin,
                         [&visit, name = std::string(name), value] { return visit(name, value); });
    return absl::OkStatus();
  }));
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.first < b.first; });
  for (const Entry& entry : entries) BULKHEAD_RETURN_IF_ERROR(entry.second());
  return absl::OkStatus();
}

absl::Status Value::EachElement(const Visitor& visit) const {
  const toml::array* array = node_.as_array();
  if (array == nullptr) return Error("must be an array");
  for (size_t i = 0; i < array->size(); ++i) {
    Value element((*array)[i], file_, absl::StrCat(key_, "[", i, "]"));
    BULKHEAD_RETURN_IF_ERROR(visit("", element));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::tools
