#pragma once

#include <capnp/blob.h>
#include <capnp/list.h>

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "schema/common.capnp.h"

// What the checks in this folder share. Each error is "<CRI field>: <what is wrong>".
namespace bulkhead::validate {

inline absl::string_view View(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
inline absl::string_view View(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};
}

// INVALID_ARGUMENT "<field>: <why>".
absl::Status Refuse(absl::string_view field, const absl::AlphaNum& why);
// UNIMPLEMENTED "<field>: <what> is not supported yet".
absl::Status NotYet(absl::string_view field, absl::string_view what);

// At most max bytes, none of them a control byte.
absl::Status CheckLine(absl::string_view field, absl::string_view text, size_t max);
// The same, and not empty.
absl::Status CheckName(absl::string_view field, absl::string_view text, size_t max);
// In the form that base/clean_path.h brings paths into.
absl::Status CheckPath(absl::string_view field, absl::string_view path);
// At most max of them.
absl::Status CheckCount(absl::string_view field, size_t count, size_t max);
// An IPv4 or IPv6 address.
absl::Status CheckAddress(absl::string_view field, absl::string_view text);

// A decoded map: keys not empty and none twice, no NUL, at most max_entries with max_bytes in all.
absl::Status CheckMap(absl::string_view field, capnp::List<schema::Label>::Reader entries,
                      size_t max_entries, size_t max_bytes);
// 256 labels of 64 KiB in all; 256 KiB of annotations.
absl::Status CheckLabels(absl::string_view field, capnp::List<schema::Label>::Reader labels);
absl::Status CheckAnnotations(absl::string_view field,
                              capnp::List<schema::Label>::Reader annotations);

// Whether an enum that came off a wire has a value that the schema names (0 to last).
template <typename Enum>
bool IsKnown(Enum value, Enum last) {
  return static_cast<uint16_t>(value) <= static_cast<uint16_t>(last);
}

}  // namespace bulkhead::validate
