// SECURITY: the admin command. Run as root it holds all that root holds; it talks to its caller's
// command line, the configuration file (root's), and the broker and frontend as their client. `up`
// starts and supervises the other processes: it reads one byte from the broker and nothing from the
// rest. Whoever owns it is root on the node; whoever owns the processes that it serves gets nothing
// from it but a restart.
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "tools/commands/commands.h"

namespace {

using bulkhead::tools::Words;

struct Command {
  const char* name;
  const char* about;
  int (*run)(Words words);
};

constexpr Command kCommands[] = {
    {"up", "start the runtime and supervise it", bulkhead::tools::RunUp},
    {"run", "run one container and stream its output", bulkhead::tools::RunRun},
    {"image", "import, list, pull, remove and prune images", bulkhead::tools::RunImage},
    {"check", "verify and repair the images on disk", bulkhead::tools::RunCheck},
    {"status", "what the runtime holds, and whether it is ready", bulkhead::tools::RunStatus},
    {"stop", "stop all pods", bulkhead::tools::RunStop},
    {"audit", "verify the audit log, or print it", bulkhead::tools::RunAudit},
    {"trace", "where the time of the last operations went, step by step",
     bulkhead::tools::RunTrace},
    {"metrics", "counts and times, for Prometheus", bulkhead::tools::RunMetrics},
    {"network", "show, check and clean up the CNI network", bulkhead::tools::RunNetwork},
    {"privileges", "what each process may do, from the compiled-in tables",
     bulkhead::tools::RunPrivileges},
    {"policy", "show what pods may ask for, and explain a pod's manifest",
     bulkhead::tools::RunPolicy},
    {"config", "check the configuration", bulkhead::tools::RunConfig},
};

void PrintHelp(FILE* out) {
  fputs("usage: bulkhead COMMAND [OPTIONS]\n\n", out);
  for (const Command& command : kCommands) {
    fprintf(out, "  %-12s %s\n", command.name, command.about);
  }
  fputs("\nbulkhead COMMAND --help says more; bulkhead --version is " BULKHEAD_VERSION ".\n", out);
}

}  // namespace

int main(int argc, char** argv) {
  bulkhead::base::SetLogProcess("bulkhead");
  if (argc < 2) {
    PrintHelp(stderr);
    return bulkhead::tools::kExitUsage;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    PrintHelp(stdout);
    return 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    puts("bulkhead " BULKHEAD_VERSION);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (strcmp(argv[1], command.name) == 0) return command.run(Words(argv + 2, argc - 2));
  }
  fprintf(stderr, "bulkhead: unknown command '%s'\n\n", argv[1]);
  PrintHelp(stderr);
  return bulkhead::tools::kExitUsage;
}
