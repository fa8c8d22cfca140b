// SECURITY: lxc does launch's jobs with liblxc, in processes that it forks, and is as powerful for
// as long: an attacker who owns it owns the node. Only the broker talks to it, with one job of
// typed fields, each checked again here; liblxc's files are written here from those fields alone.
// After create it becomes the monitor, which holds no power; the forked process that stays as the
// container's parent keeps CAP_KILL and a filter (powers.cc).
#include <cstdio>
#include <cstring>

#include "worker/common/worker.h"
#include "worker/container/serve.h"
#include "worker/lxc/gate.h"
#include "worker/lxc/library.h"
#include "worker/lxc/lxc_runtime.h"

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "--gate") == 0) return bulkhead::lxc::RunGate(argv[2]);
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    puts(bulkhead::lxc::LibraryVersion().c_str());
    return 0;
  }
  bulkhead::worker::Begin(bulkhead::security::kLxcProfile);
  return bulkhead::container::ServeJob(bulkhead::lxc::LxcRuntime::Open);
}
