#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace bulkhead::tools {

// One option of a subcommand: "--name VALUE" or "--name=VALUE" where text is set, a flag where flag
// is.
struct Option {
  const char* name;   // without the dashes
  const char* value;  // what the help calls the value; nullptr for a flag
  const char* help;
  std::string* text = nullptr;
  bool* flag = nullptr;
};

struct Usage {
  const char* synopsis;  // after "bulkhead "
  const char* about;
  absl::Span<const Option> options;
};

struct Parsed {
  std::vector<std::string> words;   // what is no option
  std::vector<std::string> behind;  // what follows "--"
  bool help = false;                // --help was given
};

// INVALID_ARGUMENT names an unknown option, a missing value or a value for a flag.
absl::StatusOr<Parsed> ParseArguments(const Usage& usage, absl::Span<char* const> arguments);

// The text of --help.
std::string HelpText(const Usage& usage);

}  // namespace bulkhead::tools
