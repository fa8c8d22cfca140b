#include "worker/nodeconfig/yaml.h"

#include <yaml.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace bulkhead::worker {
namespace {

absl::Status Malformed(const char* what) {
  return absl::InvalidArgumentError(absl::StrCat("YAML: ", what));
}

class Reader {
 public:
  explicit Reader(absl::string_view document) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(document.data()),
                                 document.size());
  }
  ~Reader() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  Reader(const Reader&) = delete;

  absl::StatusOr<Json> ReadDocument() {
    BULKHEAD_RETURN_IF_ERROR(Expect(YAML_STREAM_START_EVENT));
    BULKHEAD_RETURN_IF_ERROR(Expect(YAML_DOCUMENT_START_EVENT));
    BULKHEAD_RETURN_IF_ERROR(Next());
    BULKHEAD_ASSIGN_OR_RETURN(Json root, ReadValue(0));
    BULKHEAD_RETURN_IF_ERROR(Expect(YAML_DOCUMENT_END_EVENT));
    BULKHEAD_RETURN_IF_ERROR(Expect(YAML_STREAM_END_EVENT));
    if (!root.is_object() && !root.is_array()) return Malformed("neither mapping nor sequence");
    return root;
  }

 private:
  absl::Status Next() {
    yaml_event_delete(&event_);
    event_ = {};
    if (yaml_parser_parse(&parser_, &event_) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("YAML: malformed in line ", parser_.problem_mark.line + 1));
    }
    return absl::OkStatus();
  }
  absl::Status Expect(yaml_event_type_t type) {
    BULKHEAD_RETURN_IF_ERROR(Next());
    return event_.type == type ? absl::OkStatus() : Malformed("not one document");
  }

  // Of the event that was read last.
  absl::StatusOr<Json> ReadValue(size_t depth) {
    if (depth > kMaxJsonDepth) return absl::ResourceExhaustedError("YAML: too deep");
    if (++values_ > kMaxJsonValues) return absl::ResourceExhaustedError("YAML: too many values");
    switch (event_.type) {
      case YAML_SCALAR_EVENT:
        return ReadScalar();
      case YAML_SEQUENCE_START_EVENT:
        return ReadSequence(depth);
      case YAML_MAPPING_START_EVENT:
        return ReadMapping(depth);
      case YAML_ALIAS_EVENT:
        return Malformed("an alias");
      default:
        return Malformed("unexpected event");
    }
  }

  absl::StatusOr<std::string> ScalarText() {
    const auto& scalar = event_.data.scalar;
    if (scalar.anchor != nullptr) return Malformed("an anchor");
    if (scalar.tag != nullptr) return Malformed("a tag");
    std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    if (text.find('\0') != std::string::npos) return Malformed("NUL in a string");
    return text;
  }

  absl::StatusOr<Json> ReadScalar() {
    BULKHEAD_ASSIGN_OR_RETURN(std::string text, ScalarText());
    if (event_.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return Json(std::move(text));
    if (text.empty() || text == "~" || text == "null") return Json();
    if (text == "true" || text == "false") return Json(text == "true");
    uint64_t number = 0;
    int64_t negative = 0;
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    if (digits && absl::SimpleAtoi(text, &number)) return Json(number);
    if (text[0] == '-' && absl::SimpleAtoi(text, &negative)) return Json(negative);
    return Json(std::move(text));
  }

  absl::StatusOr<Json> ReadSequence(size_t depth) {
    if (event_.data.sequence_start.anchor != nullptr) return Malformed("an anchor");
    Json array = Json::array();
    for (;;) {
      BULKHEAD_RETURN_IF_ERROR(Next());
      if (event_.type == YAML_SEQUENCE_END_EVENT) return array;
      BULKHEAD_ASSIGN_OR_RETURN(Json value, ReadValue(depth + 1));
      array.push_back(std::move(value));
    }
  }

  absl::StatusOr<Json> ReadMapping(size_t depth) {
    if (event_.data.mapping_start.anchor != nullptr) return Malformed("an anchor");
    Json object = Json::object();
    for (;;) {
      BULKHEAD_RETURN_IF_ERROR(Next());
      if (event_.type == YAML_MAPPING_END_EVENT) return object;
      if (event_.type != YAML_SCALAR_EVENT) return Malformed("a key that is no string");
      BULKHEAD_ASSIGN_OR_RETURN(const std::string key, ScalarText());
      if (key == "<<") return Malformed("a merge key");
      if (object.contains(key)) return Malformed("a mapping has a key twice");
      BULKHEAD_RETURN_IF_ERROR(Next());
      BULKHEAD_ASSIGN_OR_RETURN(object[key], ReadValue(depth + 1));
    }
  }

  yaml_parser_t parser_ = {};
  yaml_event_t event_ = {};
  size_t values_ = 0;
};

}  // namespace

absl::StatusOr<Json> ParseYaml(absl::string_view document) {
  if (document.size() > kMaxDocumentBytes) {
    return absl::ResourceExhaustedError("YAML: the document is over 4 MiB");
  }
  return Reader(document).ReadDocument();
}

}  // namespace bulkhead::worker
