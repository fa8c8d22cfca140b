#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/repeated_field.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "schema/common.capnp.h"

// Small conversions that all of convert_*.cc use.
namespace bulkhead::frontend {

using StringMap = google::protobuf::Map<std::string, std::string>;
using Strings = google::protobuf::RepeatedPtrField<std::string>;

// With its length: kj would take a std::string to end at its first NUL, and the check behind it
// would see a text that is not what the client sent.
inline kj::StringPtr Text(const std::string& text) { return {text.data(), text.size()}; }
inline kj::ArrayPtr<const kj::byte> Bytes(const std::string& bytes) {
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size());
}
inline std::string String(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
inline std::string String(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};
}

// init: makes a list of that many entries. Entries come in the order of their keys.
template <typename Init>
void ToLabels(const StringMap& in, Init init) {
  const std::map<std::string, std::string> sorted(in.begin(), in.end());
  capnp::List<schema::Label>::Builder out = init(sorted.size());
  unsigned i = 0;
  for (const auto& [key, value] : sorted) {
    out[i].setKey(Text(key));
    out[i].setValue(Text(value));
    ++i;
  }
}

template <typename Init>
void ToTexts(const Strings& in, Init init) {
  capnp::List<capnp::Text>::Builder out = init(in.size());
  for (int i = 0; i < in.size(); ++i) out.set(i, Text(in[i]));
}

inline void FromLabels(capnp::List<schema::Label>::Reader in, StringMap* out) {
  for (const auto label : in) (*out)[String(label.getKey())] = String(label.getValue());
}

// Empty stays empty; anything else becomes a clean absolute path.
absl::Status ToOptionalPath(absl::string_view field, const std::string& in, std::string* out);

}  // namespace bulkhead::frontend
