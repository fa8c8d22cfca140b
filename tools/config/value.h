#pragma once

// toml++ without exceptions, which nothing here throws or catches.
#ifndef TOML_EXCEPTIONS
#define TOML_EXCEPTIONS 0
#endif
#include <toml++/toml.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bulkhead::tools {

// One value of a TOML file and where it stands, so that every complaint names file, line and key.
class Value {
 public:
  Value(const toml::node& node, const std::string& file, std::string key)
      : node_(node), file_(file), key_(std::move(key)) {}

  // INVALID_ARGUMENT "file:line: key 'a.b': what".
  absl::Status Error(absl::string_view what) const;

  absl::Status Text(std::string* out) const;
  // An absolute path without "..", brought into its clean form.
  absl::Status Path(std::string* out) const;
  absl::Status Flag(bool* out) const;
  // A whole number from min to max.
  absl::Status Number(uint64_t min, uint64_t max, uint64_t* out) const;
  bool IsArray() const { return node_.is_array(); }
  bool IsTable() const { return node_.is_table(); }
  // A string, or an array of strings.
  absl::Status TextOrTexts(std::vector<std::string>* out) const;
  // A number of this range.
  absl::Status Number(uint32_t least, uint32_t most, uint32_t* out) const;
  absl::Status Paths(std::vector<std::string>* out) const;
  absl::Status Port(uint16_t* out) const;  // 0 to 65535
  absl::Status Uids(std::vector<uint32_t>* out) const;
  // Globs over image names (security/policy/glob.h).
  absl::Status Glob(std::string* out) const;
  absl::Status Globs(std::vector<std::string>* out) const;
  // "host", "host:port", "[v6]:port" in lower case.
  absl::Status HostPort(std::string* out) const;

  using Visitor = std::function<absl::Status(absl::string_view key, const Value& value)>;
  // Each entry of a table, by name.
  absl::Status EachEntry(const Visitor& visit) const;
  // Where the order says something.
  absl::Status EachEntryInFileOrder(const Visitor& visit) const;
  // Each element of an array (key empty), in the file's order.
  absl::Status EachElement(const Visitor& visit) const;

 private:
  const toml::node& node_;
  const std::string& file_;
  std::string key_;
};

// Whether text is host[:port] as image references name registries.
bool IsHostPort(absl::string_view text);
// Whether text is the URL of a proxy: http, https or socks5, perhaps with a user, without a path.
bool IsProxyUrl(absl::string_view text);

}  // namespace bulkhead::tools
