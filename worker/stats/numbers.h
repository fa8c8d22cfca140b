#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "schema/worker/stats.capnp.h"

// The kernel's small text files with numbers, as cgroups have them. A file that is not there, or
// not what was expected, has no numbers: -1 or an empty map.
namespace bulkhead::stats {

// The whole of a file below dirfd, at most 64 KiB; empty where it cannot be read.
std::string ReadText(int dirfd, const char* name);

// One number alone. "max", and what is too large to be a limit (v1's way to say none): -1.
int64_t ReadNumber(int dirfd, const char* name);
// Lines "name number".
std::map<std::string, int64_t, std::less<>> ReadTable(int dirfd, const char* name);
// Of a table; -1 where it is not in there.
int64_t Get(const std::map<std::string, int64_t, std::less<>>& table, absl::string_view name);

// Pressure stall information: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same for
// full. Empty, and so not known, where the kernel has it turned off.
void ReadPressure(int dirfd, const char* name, schema::Pressure::Builder out);
void ParsePressure(absl::string_view text, schema::Pressure::Builder out);

}  // namespace bulkhead::stats
