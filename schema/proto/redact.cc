#include "schema/proto/redact.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bulkhead/options.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/unknown_field_set.h"

namespace bulkhead::cri {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr absl::string_view kRedacted = "<redacted>";
constexpr absl::string_view kCutOff = " <cut off>";

// A string that stops growing at the limit and remembers that it had to.
class BoundedText {
 public:
  void Append(absl::string_view text) {
    if (full_) return;
    if (text.size() > kLimit - text_.size()) {
      text = text.substr(0, kLimit - text_.size());
      full_ = true;
    }
    text_.append(text.data(), text.size());
  }

  // Escapes no more of `value` than can still be appended, as values may be megabytes long.
  void AppendQuoted(absl::string_view value) {
    Append("\"");
    Append(absl::CEscape(value.substr(0, kLimit - text_.size() + 1)));
    Append("\"");
  }

  // Separates fields from one another, but not from the bracket before them.
  void Separate() {
    if (!text_.empty() && text_.back() != ' ') Append(" ");
  }

  bool full() const { return full_; }

  std::string Take() && {
    if (full_) text_.append(kCutOff.data(), kCutOff.size());
    return std::move(text_);
  }

 private:
  static constexpr std::size_t kLimit = kMaxRedactedSize - kCutOff.size();

  std::string text_;
  bool full_ = false;
};

bool IsSecret(const FieldDescriptor& field) { return field.options().GetExtension(secret); }

enum class Secrecy { kOpen, kSecret };

void AppendMessage(const Message& message, Secrecy map_values, BoundedText& out);

// Appends the value of a field, or element `index` of it if it is repeated (-1 otherwise).
void AppendValue(const Message& message, const FieldDescriptor* field, int index,
                 BoundedText& out) {
  const Reflection& reflection = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      out.Append(absl::StrCat(repeated ? reflection.GetRepeatedInt32(message, field, index)
                                       : reflection.GetInt32(message, field)));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      out.Append(absl::StrCat(repeated ? reflection.GetRepeatedInt64(message, field, index)
                                       : reflection.GetInt64(message, field)));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      out.Append(absl::StrCat(repeated ? reflection.GetRepeatedUInt32(message, field, index)
                                       : reflection.GetUInt32(message, field)));
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      out.Append(absl::StrCat(repeated ? reflection.GetRepeatedUInt64(message, field, index)
                                       : reflection.GetUInt64(message, field)));
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      out.Append(absl::StrCat(repeated ? reflection.GetRepeatedDouble(message, field, index)
                                       : reflection.GetDouble(message, field)));
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
      out.Append(absl::StrCat(repeated ? reflection.GetRepeatedFloat(message, field, index)
                                       : reflection.GetFloat(message, field)));
      return;
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool value = repeated ? reflection.GetRepeatedBool(message, field, index)
                                  : reflection.GetBool(message, field);
      out.Append(value ? "true" : "false");
      return;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      // By number, because a newer peer may send values that have no name here.
      const int number = repeated ? reflection.GetRepeatedEnumValue(message, field, index)
                                  : reflection.GetEnumValue(message, field);
      const EnumValueDescriptor* value = field->enum_type()->FindValueByNumber(number);
      out.Append(value != nullptr ? value->name() : absl::StrCat(number));
      return;
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& value =
          repeated ? reflection.GetRepeatedStringReference(message, field, index, &scratch)
                   : reflection.GetStringReference(message, field, &scratch);
      if (field->type() == FieldDescriptor::TYPE_BYTES) {
        out.Append(absl::StrCat("<", value.size(), " bytes>"));
      } else {
        out.AppendQuoted(value);
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& value = repeated ? reflection.GetRepeatedMessage(message, field, index)
                                      : reflection.GetMessage(message, field);
      const bool hide = field->is_map() && IsSecret(*field);
      out.Append("{ ");
      AppendMessage(value, hide ? Secrecy::kSecret : Secrecy::kOpen, out);
      out.Separate();
      out.Append("}");
      return;
    }
  }
}

void AppendField(const Message& message, const FieldDescriptor* field, Secrecy secrecy,
                 BoundedText& out) {
  const std::string name =
      field->is_extension() ? absl::StrCat("[", field->full_name(), "]") : field->name();
  if (secrecy == Secrecy::kSecret) {
    out.Separate();
    out.Append(absl::StrCat(name, ": ", kRedacted));
    return;
  }
  const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
  for (int i = 0; i < count && !out.full(); ++i) {
    out.Separate();
    out.Append(name);
    out.Append(field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? " " : ": ");
    AppendValue(message, field, field->is_repeated() ? i : -1, out);
  }
}

// `map_values` is kSecret when `message` is an entry of a marked map. Recursion ends when `out` is
// full at the latest, since every level appends something.
void AppendMessage(const Message& message, Secrecy map_values, BoundedText& out) {
  if (out.full()) return;
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (out.full()) return;
    const bool in_secret_map = map_values == Secrecy::kSecret && field->number() == 2;
    const bool hide = in_secret_map || (IsSecret(*field) && !field->is_map());
    AppendField(message, field, hide ? Secrecy::kSecret : Secrecy::kOpen, out);
  }
  const int unknown = reflection.GetUnknownFields(message).field_count();
  if (unknown > 0) {
    out.Separate();
    out.Append(absl::StrCat("<", unknown, " unknown>"));
  }
}

}  // namespace

std::string Redacted(const Message& message) {
  BoundedText out;
  AppendMessage(message, Secrecy::kOpen, out);
  return std::move(out).Take();
}

}  // namespace bulkhead::cri
