// SECURITY: the auditor holds the audit log's directory and its keys, and one socket to the broker;
// no capability, no network, nothing else of the node. It parses nothing: what the broker sends is
// stored as it came, under a number and a time that the broker does not choose. An attacker who
// owns it can keep back or forge what is recorded from then on; the past is under keys that are
// gone.
#include <openssl/crypto.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "audit/log_writer.h"
#include "auditor/serve.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "security/enforce/enter.h"
#include "security/profile.h"

namespace bulkhead::auditor {
namespace {

constexpr int kBrokerFd = 3;
constexpr int kDirectoryFd = 4;

absl::Status Main(const std::string& boot_id) {
  absl::Status confined =
      security::ConfineToDirectories({kDirectoryFd}, security::Access::kReadWrite);
  if (!confined.ok()) return confined;
  std::array<uint8_t, audit::kBootIdBytes> boot = {};
  memcpy(boot.data(), boot_id.data(), std::min(boot.size(), boot_id.size()));
  auto writer = audit::LogWriter::Open(kDirectoryFd, boot, {});
  if (!writer.ok()) return writer.status();
  if ((*writer)->torn_bytes() > 0) {
    base::Log(base::Severity::kWarning, "the last auditor died while writing",
              {{"bytes cut off", (*writer)->torn_bytes()}});
  }
  return Serve(kBrokerFd, **writer);
}

}  // namespace
}  // namespace bulkhead::auditor

int main() {
  using namespace bulkhead;
  base::SetLogProcess("auditor");
  const std::string boot_id = base::BootId();  // while there is a /proc
  // Nor configuration files or modules, later, where there are none.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  security::EnterOrDie(security::kAuditorProfile);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error like a full disk
  const absl::Status ended = auditor::Main(boot_id);
  if (ended.ok()) _exit(0);
  base::Log(base::Severity::kError, "ended", {{"why", ended.message()}});
  _exit(1);
}
