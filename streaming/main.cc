// SECURITY: the streaming daemon holds the listening TCP socket and a socket to the broker; no
// capability, no file, and an empty network namespace. It reads nothing from clients: each gets a
// process of its own, forked from this one, which reads TLS, HTTP, WebSocket and SPDY and has one
// socket to the broker and, for a good token, the descriptors of that one stream. An attacker who
// owns such a process has that stream, and the key of the certificate where one is configured; who
// owns the daemon can watch and forge all streams. Neither can ask the broker for anything without
// a token.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "security/enforce/enter.h"
#include "security/profile.h"
#include "streaming/connection.h"
#include "streaming/listener.h"
#include "streaming/tls.h"

namespace bulkhead::streaming {
namespace {

constexpr int kControlFd = 3;
constexpr int kListenFd = 4;
constexpr int kTlsFd = 5;
constexpr size_t kMaxTlsBytes = 1 << 20;

// Certificate chain and key in PEM; none where no descriptor came.
absl::StatusOr<TlsPtr> ReadTls() {
  struct stat st;
  if (fstat(kTlsFd, &st) != 0) return TlsPtr();
  const base::UniqueFd fd(kTlsFd);
  if (st.st_size > static_cast<off_t>(kMaxTlsBytes))
    return absl::ResourceExhaustedError("too long");
  BULKHEAD_ASSIGN_OR_RETURN(const std::string pem,
                            base::ReadAt(fd.get(), 0, static_cast<size_t>(st.st_size)));
  return MakeTls(pem);
}

absl::Status Run() {
  BULKHEAD_ASSIGN_OR_RETURN(TlsPtr tls, ReadTls());
  Listener listener(base::UniqueFd(kControlFd), base::UniqueFd(kListenFd),
                    [&tls](base::UniqueFd client, base::UniqueFd broker) {
                      ServeConnection(std::move(client), std::move(broker), tls.get());
                    });
  return listener.Run();
}

}  // namespace
}  // namespace bulkhead::streaming

int main() {
  bulkhead::base::SetLogProcess("streaming");
  bulkhead::security::EnterOrDie(bulkhead::security::kStreamingProfile);
  signal(SIGPIPE, SIG_IGN);
  const absl::Status status = bulkhead::streaming::Run();
  if (!status.ok()) {
    bulkhead::base::Log(bulkhead::base::Severity::kError, "ended", {{"why", status.message()}});
  }
  _exit(status.ok() ? 0 : 1);
}
