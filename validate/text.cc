#include "validate/text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "base/clean_path.h"

namespace bulkhead::validate {
namespace {

constexpr size_t kMaxLabels = 256;
constexpr size_t kMaxLabelBytes = 64 << 10;
constexpr size_t kMaxAnnotations = 4096;
constexpr size_t kMaxAnnotationBytes = 256 << 10;

bool HasControlByte(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

bool HasNul(absl::string_view text) { return text.find('\0') != absl::string_view::npos; }

}  // namespace

absl::Status Refuse(absl::string_view field, const absl::AlphaNum& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

absl::Status NotYet(absl::string_view field, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat(field, ": ", what, " is not supported yet"));
}

absl::Status CheckLine(absl::string_view field, absl::string_view text, size_t max) {
  if (text.size() > max) return Refuse(field, absl::StrCat("longer than ", max, " bytes"));
  if (HasControlByte(text)) return Refuse(field, "holds a control byte");
  return absl::OkStatus();
}

absl::Status CheckName(absl::string_view field, absl::string_view text, size_t max) {
  if (text.empty()) return Refuse(field, "must not be empty");
  return CheckLine(field, text, max);
}

absl::Status CheckPath(absl::string_view field, absl::string_view path) {
  const absl::StatusOr<std::string> clean = base::CleanAbsolutePath(field, path);
  if (!clean.ok()) return clean.status();
  if (*clean != path) return Refuse(field, "not a clean path");
  return absl::OkStatus();
}

absl::Status CheckCount(absl::string_view field, size_t count, size_t max) {
  if (count > max) return Refuse(field, absl::StrCat("more than ", max, " entries"));
  return absl::OkStatus();
}

absl::Status CheckAddress(absl::string_view field, absl::string_view text) {
  const std::string address(text);
  unsigned char bytes[16];
  // A NUL inside would hide what follows it from inet_pton.
  if (!HasNul(text) && (inet_pton(AF_INET, address.c_str(), bytes) == 1 ||
                        inet_pton(AF_INET6, address.c_str(), bytes) == 1)) {
    return absl::OkStatus();
  }
  return Refuse(field, "not an IP address");
}

absl::Status CheckMap(absl::string_view field, capnp::List<schema::Label>::Reader entries,
                      size_t max_entries, size_t max_bytes) {
  if (absl::Status status = CheckCount(field, entries.size(), max_entries); !status.ok()) {
    return status;
  }
  size_t bytes = 0;
  absl::flat_hash_set<absl::string_view> keys;
  for (const auto entry : entries) {
    const absl::string_view key = View(entry.getKey());
    const absl::string_view value = View(entry.getValue());
    bytes += key.size() + value.size();
    if (bytes > max_bytes) return Refuse(field, absl::StrCat("more than ", max_bytes, " bytes"));
    if (key.empty()) return Refuse(field, "a key is empty");
    if (HasControlByte(key)) return Refuse(field, "a key holds a control byte");
    if (HasNul(value)) return Refuse(field, "a value holds a NUL byte");
    if (!keys.insert(key).second) return Refuse(field, "a key is there twice");
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(absl::string_view field, capnp::List<schema::Label>::Reader labels) {
  return CheckMap(field, labels, kMaxLabels, kMaxLabelBytes);
}

absl::Status CheckAnnotations(absl::string_view field,
                              capnp::List<schema::Label>::Reader annotations) {
  return CheckMap(field, annotations, kMaxAnnotations, kMaxAnnotationBytes);
}

}  // namespace bulkhead::validate
