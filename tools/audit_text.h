#pragma once

#include <string>

#include "audit/entry.h"

namespace bulkhead::tools {

// A record for people, or as one line of JSON. Never a raw control character; an entry whose
// payload is no record says so.
std::string RecordText(const audit::Entry& entry, bool json);

}  // namespace bulkhead::tools
