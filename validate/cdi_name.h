#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Names of the Container Device Interface: "vendor.com/class=device".
namespace bulkhead::validate {

bool IsCdiKind(absl::string_view text);        // "vendor.com/class"
bool IsCdiDeviceName(absl::string_view text);  // "device"
bool IsCdiQualifiedName(absl::string_view text);

}  // namespace bulkhead::validate
