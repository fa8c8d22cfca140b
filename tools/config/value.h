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
  // An integer from least to most.
  absl::Status Number(uint32_t least, uint32_t most, uint32_t* out) const;
  absl::Status Paths(std::vector<std::string>* out) const;
  absl::Status Uids(std::vector<uint32_t>* out) const;
  // "host", "host:port", "[v6]:port" in lower case.
  absl::Status HostPort(std::string* out) const;

  using Visitor = std::function<absl::Status(absl::string_view key, const Value& value)>;
  // Each entry of a table, or each element of an array (key empty), in the file's order.
  absl::Status EachEntry(const Visitor& visit) const;
  absl::Status EachElement(const Visitor& visit) const;

 private:
  const toml::node& node_;
  const std::string& file_;
  std::string key_;
};

// Whether text is host[:port] as image references name registries.
bool IsHostPort(absl::string_view text);

}  // namespace bulkhead::tools
