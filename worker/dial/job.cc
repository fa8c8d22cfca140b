#include "worker/dial/job.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "ipc/message.h"

namespace bulkhead::dial {
namespace {

using base::UniqueFd;

// Loopback answers at once, unless a filter drops what comes.
constexpr absl::Duration kConnectPatience = absl::Seconds(5);

absl::StatusOr<UniqueFd> MakeSocket(int family) {
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd) return base::ErrnoStatus("make a socket");
  return fd;
}

// Which network namespace new sockets belong to.
absl::StatusOr<uint64_t> NamespaceCookie() {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd, MakeSocket(AF_INET));
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0) {
    return base::ErrnoStatus("read the network namespace's cookie");
  }
  return cookie;
}

// Only where a namespace is pinned, and never the node's own.
absl::Status EnterPod(const std::string& pod_id, int run) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd directory,
                            base::OpenAt(run, absl::StrCat("pods/", pod_id), O_PATH | O_DIRECTORY,
                                         base::Resolve::kBeneathNoSymlinks));
  UniqueFd pin(openat(directory.get(), "net", O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!pin) return base::ErrnoStatus("open the pod's network namespace");
  struct statfs where;
  if (fstatfs(pin.get(), &where) != 0) return base::ErrnoStatus("statfs");
  if (where.f_type != NSFS_MAGIC) return absl::NotFoundError("the pod has no network any more");
  BULKHEAD_ASSIGN_OR_RETURN(const uint64_t node, NamespaceCookie());
  if (setns(pin.get(), CLONE_NEWNET) != 0) return base::ErrnoStatus("enter the pod's network");
  BULKHEAD_ASSIGN_OR_RETURN(const uint64_t pod, NamespaceCookie());
  if (pod == node) return absl::PermissionDeniedError("the pod's network is the node's");
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Connect(const sockaddr* address, socklen_t size) {
  BULKHEAD_ASSIGN_OR_RETURN(UniqueFd fd, MakeSocket(address->sa_family));
  if (connect(fd.get(), address, size) == 0) return fd;
  int error = errno;
  if (error == EINPROGRESS) {
    BULKHEAD_RETURN_IF_ERROR(
        ipc::PollWaiter().Writable(fd.get(), base::Deadline::After(kConnectPatience)));
    socklen_t error_size = sizeof(error);
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) error = errno;
  }
  if (error == 0) return fd;
  return absl::UnavailableError(base::ErrnoStatus("connect", error).message());
}

// Both are tried, as a program may listen on either. What the first one says is what the client is
// told.
absl::StatusOr<UniqueFd> Dial(uint16_t port) {
  sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  absl::StatusOr<UniqueFd> first = Connect(reinterpret_cast<sockaddr*>(&v4), sizeof(v4));
  if (first.ok()) return first;
  sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  v6.sin6_addr = in6addr_loopback;
  absl::StatusOr<UniqueFd> second = Connect(reinterpret_cast<sockaddr*>(&v6), sizeof(v6));
  return second.ok() ? std::move(second) : first.status();
}

absl::StatusOr<UniqueFd> Run(schema::DialJob::Reader job, int run) {
  const std::string pod_id = job.getPodId();
  if (!base::IsId(pod_id)) return absl::InvalidArgumentError("podId: not an id");
  if (job.getPort() == 0) return absl::InvalidArgumentError("port: must not be 0");
  if (!job.getNode()) BULKHEAD_RETURN_IF_ERROR(EnterPod(pod_id, run));
  return Dial(job.getPort());
}

}  // namespace

worker::JobResult RunDialJob(schema::DialJob::Reader job, int run,
                             schema::DialResult::Builder result) {
  worker::JobResult out;
  absl::StatusOr<UniqueFd> socket = Run(job, run);
  ipc::WriteStatus(socket.status(), result.initStatus());
  if (socket.ok()) out.fds.push_back(*std::move(socket));
  return out;
}

}  // namespace bulkhead::dial
