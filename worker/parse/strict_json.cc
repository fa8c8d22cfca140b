#include "worker/parse/strict_json.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bulkhead::worker {
namespace {

// A first pass that builds nothing and stops at the first violation.
class Checker : public nlohmann::json_sax<Json> {
 public:
  absl::Status status() const { return status_; }

  bool null() override { return Count(); }
  bool boolean(bool) override { return Count(); }
  bool number_integer(number_integer_t) override { return Count(); }
  bool number_unsigned(number_unsigned_t) override { return Count(); }
  bool number_float(number_float_t, const string_t&) override { return Count(); }
  bool string(string_t& value) override { return Text(value) && Count(); }
  bool binary(binary_t&) override { return Fail(absl::InvalidArgumentError("JSON: binary")); }
  bool start_object(std::size_t) override { return Open(); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(); }
  bool end_array() override { return Close(); }

  bool key(string_t& value) override {
    if (!Text(value)) return false;
    if (keys_.back().insert(value).second) return true;
    return Fail(absl::InvalidArgumentError("JSON: an object has a key twice"));
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::InvalidArgumentError(absl::StrCat("JSON: malformed at byte ", position)));
  }

 private:
  bool Fail(absl::Status status) {
    status_ = std::move(status);
    return false;
  }

  bool Count() {
    if (++values_ <= kMaxJsonValues) return true;
    return Fail(absl::ResourceExhaustedError(
        absl::StrCat("JSON: more than ", kMaxJsonValues, " values")));
  }

  bool Text(const std::string& value) {
    if (value.find('\0') == std::string::npos) return true;
    return Fail(absl::InvalidArgumentError("JSON: NUL in a string"));
  }

  bool Open() {
    if (keys_.size() == kMaxJsonDepth) {
      return Fail(
          absl::ResourceExhaustedError(absl::StrCat("JSON: deeper than ", kMaxJsonDepth)));
    }
    keys_.emplace_back();
    return Count();
  }

  bool Close() {
    keys_.pop_back();
    return true;
  }

  absl::Status status_;
  size_t values_ = 0;
  std::vector<std::set<std::string>> keys_;  // of each open object or array
};

absl::Status WrongType(const char* key, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat(key, ": is no ", wanted));
}

}  // namespace

absl::StatusOr<Json> ParseStrictJson(absl::string_view document) {
  if (document.size() > kMaxDocumentBytes) {
    return absl::ResourceExhaustedError("JSON: the document is over 4 MiB");
  }
  // The library would skip a byte order mark.
  if (document.substr(0, 1) == "\xef") {
    return absl::InvalidArgumentError("JSON: begins with a byte order mark");
  }
  Checker checker;
  if (!Json::sax_parse(document.begin(), document.end(), &checker)) return checker.status();
  Json json = Json::parse(document.begin(), document.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() && !json.is_array()) {
    return absl::InvalidArgumentError("JSON: neither object nor array");
  }
  return json;
}

const Json* Member(const Json& object, const char* key) {
  const auto* members = object.get_ptr<const Json::object_t*>();
  if (members == nullptr) return nullptr;
  auto found = members->find(key);
  if (found == members->end() || found->second.is_null()) return nullptr;
  return &found->second;
}

absl::StatusOr<std::string> StringMember(const Json& object, const char* key) {
  const Json* member = Member(object, key);
  if (member == nullptr) return std::string();
  const auto* text = member->get_ptr<const std::string*>();
  if (text == nullptr) return WrongType(key, "string");
  return *text;
}

absl::StatusOr<const Json::array_t*> ArrayMember(const Json& object, const char* key) {
  static const Json::array_t kEmpty;
  const Json* member = Member(object, key);
  if (member == nullptr) return &kEmpty;
  const auto* array = member->get_ptr<const Json::array_t*>();
  if (array == nullptr) return WrongType(key, "array");
  return array;
}

absl::StatusOr<const Json::object_t*> ObjectMember(const Json& object, const char* key) {
  static const Json::object_t kEmpty;
  const Json* member = Member(object, key);
  if (member == nullptr) return &kEmpty;
  const auto* members = member->get_ptr<const Json::object_t*>();
  if (members == nullptr) return WrongType(key, "object");
  return members;
}

}  // namespace bulkhead::worker
