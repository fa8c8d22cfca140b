#pragma once

#include "absl/types/span.h"
#include "tools/config/value.h"

namespace bulkhead::tools {

// One known key and what it does to T; a key that no row names is an error.
template <typename T>
struct Key {
  absl::string_view name;
  absl::Status (*apply)(const Value& value, T* target);
};

template <typename T>
absl::Status ApplyTable(const Value& table, absl::Span<const Key<T>> keys, T* target) {
  return table.EachEntry([&](absl::string_view name, const Value& value) {
    for (const Key<T>& key : keys) {
      if (key.name == name) return key.apply(value, target);
    }
    return value.Error("unknown key");
  });
}

}  // namespace bulkhead::tools
