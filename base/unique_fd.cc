#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/status.h"

namespace bulkhead::base {

absl::StatusOr<FdPair> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
  return FdPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

absl::StatusOr<FdPair> MakeSocketPair(int type) {
  int fds[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) return ErrnoStatus("socketpair");
  return FdPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

absl::StatusOr<UniqueFd> Duplicate(int fd) {
  // Never 0, 1 or 2, so that a closed standard stream cannot be taken over.
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return ErrnoStatus("duplicate fd");
  return UniqueFd(copy);
}

absl::StatusOr<UniqueFd> MakeSealedMemfd(const char* name, absl::string_view bytes) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return ErrnoStatus("memfd_create");
  BULKHEAD_RETURN_IF_ERROR(WriteAll(fd.get(), bytes));
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoStatus("rewind memfd");
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return ErrnoStatus("seal memfd");
  return fd;
}

}  // namespace bulkhead::base
