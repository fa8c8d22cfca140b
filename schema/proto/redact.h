#pragma once

#include <cstddef>
#include <string>

#include "google/protobuf/message.h"

namespace bulkhead::cri {

// Upper bound on the size of what Redacted() returns, with the cut-off mark. Enough for any request
// worth reading in a log, and small enough that a hostile peer cannot flood the log with one call.
inline constexpr std::size_t kMaxRedactedSize = 4096;

// Returns `message` as one line of printable ASCII for logs: text-format style, set fields only.
//
// What the message's author may not decide to put into a log is left out:
//   - fields marked (bulkhead.secret) appear as `<redacted>`; of a marked map the keys are shown;
//   - bytes fields appear as their length, as they hold raw data or a message that cannot be
//     searched for marks;
//   - unknown fields appear as their count, since a field without a schema has no mark either.
// Strings are escaped, so a value cannot forge a line or drive a terminal.
//
// The work done is bounded like the result, however large or deep the message is, with one
// exception: maps are iterated through a copy that protobuf makes of the whole map.
std::string Redacted(const google::protobuf::Message& message);

}  // namespace bulkhead::cri
