#include <cstdio>

#include "security/describe.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {

int RunPrivileges(Words words) {
  bool verbose = false, markdown = false;
  const Option options[] = {
      {"verbose", nullptr, "every row with its reason", nullptr, &verbose},
      {"markdown", nullptr, "as tables for documents", nullptr, &markdown},
  };
  const Usage usage = {"privileges [--verbose] [--markdown]",
                       "Prints what each kind of process may do: the tables that are applied at "
                       "start.",
                       options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  if (!parsed.words.empty()) {
    return FailUsage(usage, absl::InvalidArgumentError("privileges: takes no words"));
  }
  fputs(security::DescribeProfiles(verbose, markdown).c_str(), stdout);
  return 0;
}

}  // namespace bulkhead::tools
