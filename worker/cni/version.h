#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace bulkhead::cni {

// 0.3.0, 0.3.1, 0.4.0, 1.0.0 and 1.1.0: those with chains and with results that name interfaces.
bool IsSupportedVersion(absl::string_view version);
// The latest of these that is supported; empty where none is.
std::string LatestSupported(const std::vector<std::string>& versions);
// From 0.4.0 on, DEL is given the result of ADD.
bool DelTakesPreviousResult(absl::string_view version);
// Before 1.0.0, each address of a result says "version": "4" or "6".
bool AddressesSayVersion(absl::string_view version);

// From 0.4.0 on there is CHECK.
bool HasCheck(absl::string_view version);
// From 1.1.0 on there are STATUS and GC.
bool HasStatusAndGc(absl::string_view version);

}  // namespace bulkhead::cni
