// SECURITY: launch is root with nearly every power of a container's parent, since whatever it gave
// up would be missing in the container. Only the broker talks to it, with one job of typed fields,
// each checked again here; it parses no untrusted format, and the JSON that the runtime reads is
// written here from those fields alone. An attacker who owns it owns the node. After create it
// becomes the monitor, which holds no power at all.
#include "worker/common/worker.h"
#include "worker/container/serve.h"
#include "worker/launch/oci_runtime.h"

int main() {
  bulkhead::worker::Begin(bulkhead::security::kLaunchProfile);
  return bulkhead::container::ServeJob(bulkhead::launch::OciRuntime::Open);
}
