#include "worker/sandbox/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "security/layer_ids.h"
#include "worker/sandbox/namespaces.h"
#include "worker/sandbox/pod_directory.h"

namespace bulkhead::sandbox {
namespace {

using base::UniqueFd;

constexpr size_t kMaxMessageBytes = 512;
constexpr size_t kMaxNamespaces = 4;

// What the child says, in one write that a pipe keeps whole.
struct Report {
  int code = 0;                  // of absl::StatusCode
  int fds[kMaxNamespaces] = {};  // numbers in the table of descriptors that both share
  char message[kMaxMessageBytes] = {};
};
static_assert(sizeof(Report) <= 4096);

struct Pipes {
  base::FdPair number;  // the child's pid as procfs shows it, which is the node's
  base::FdPair go;      // its ids are mapped
  base::FdPair report;
};

absl::StatusOr<Pipes> MakePipes() {
  Pipes pipes;
  BULKHEAD_ASSIGN_OR_RETURN(pipes.number, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(pipes.go, base::MakePipe());
  BULKHEAD_ASSIGN_OR_RETURN(pipes.report, base::MakePipe());
  return pipes;
}

absl::Status TellNumber(const Pipes& pipes) {
  char number[16] = {};
  if (readlinkat(AT_FDCWD, "/proc/self", number, sizeof(number) - 1) <= 0) {
    return base::ErrnoStatus("own number");
  }
  if (write(pipes.number.second.get(), number, sizeof(number)) != sizeof(number)) {
    return base::ErrnoStatus("tell own number");
  }
  char byte;
  return read(pipes.go.first.get(), &byte, 1) == 1 ? absl::OkStatus() : base::ErrnoStatus("wait");
}

// Sysctls are written by who is root of their namespace.
absl::Status BecomeRoot() {
  if (syscall(SYS_setresgid, 0, 0, 0) != 0) return base::ErrnoStatus("setresgid");
  if (syscall(SYS_setresuid, 0, 0, 0) != 0) return base::ErrnoStatus("setresuid");
  return absl::OkStatus();
}

absl::Status OpenOwn(const std::vector<const char*>& kinds, Report* report) {
  for (size_t i = 0; i < kinds.size(); ++i) {
    report->fds[i] = open(absl::StrCat("/proc/self/ns/", kinds[i]).c_str(), O_RDONLY | O_CLOEXEC);
    if (report->fds[i] < 0) return base::ErrnoStatus(absl::StrCat("open ", kinds[i]));
  }
  return absl::OkStatus();
}

absl::Status Work(const Pipes& pipes, const std::vector<const char*>& kinds,
                  const std::function<absl::Status()>& set_up, Report* report) {
  BULKHEAD_RETURN_IF_ERROR(TellNumber(pipes));
  BULKHEAD_RETURN_IF_ERROR(set_up());
  return OpenOwn(kinds, report);
}

[[noreturn]] void Child(const Pipes& pipes, const std::vector<const char*>& kinds,
                        const std::function<absl::Status()>& set_up) {
  Report report;
  const absl::Status status = Work(pipes, kinds, set_up, &report);
  report.code = static_cast<int>(status.code());
  const size_t size = std::min(status.message().size(), kMaxMessageBytes - 1);
  memcpy(report.message, status.message().data(), size);
  const ssize_t put = write(pipes.report.second.get(), &report, sizeof(report));
  _exit(put == sizeof(report) ? 0 : 1);
}

// Written by us, who have the right in the parent namespace, for a child that waits.
absl::Status WriteMaps(const Pipes& pipes, const std::string& map) {
  char number[16] = {};
  if (read(pipes.number.first.get(), number, sizeof(number)) != sizeof(number)) {
    return absl::InternalError("user namespace: its process ended early");
  }
  number[sizeof(number) - 1] = '\0';
  for (const char* file : {"uid_map", "gid_map"}) {
    BULKHEAD_RETURN_IF_ERROR(
        base::WriteKernelFile(AT_FDCWD, absl::StrCat("/proc/", number, "/", file), map));
  }
  return base::WriteAll(pipes.go.second.get(), "g");
}

absl::StatusOr<std::vector<UniqueFd>> TakeReport(const Pipes& pipes, size_t count) {
  Report report;
  if (read(pipes.report.first.get(), &report, sizeof(report)) != sizeof(report)) {
    return absl::InternalError("user namespace: its process ended early");
  }
  report.message[kMaxMessageBytes - 1] = '\0';
  std::vector<UniqueFd> fds;
  for (size_t i = 0; i < count; ++i) {
    if (report.fds[i] > 2) fds.emplace_back(report.fds[i]);
  }
  if (report.code != 0) {
    return absl::Status(static_cast<absl::StatusCode>(report.code), report.message);
  }
  if (fds.size() != count) return absl::InternalError("user namespace: one is missing");
  return fds;
}

// The namespaces of these kinds ("user" is one of them), as a child made them that shares our
// descriptors.
absl::StatusOr<std::vector<UniqueFd>> Make(int flags, const std::vector<const char*>& kinds,
                                           const std::string& map,
                                           const std::function<absl::Status()>& set_up) {
  BULKHEAD_ASSIGN_OR_RETURN(Pipes pipes, MakePipes());
  const long child = syscall(SYS_clone, CLONE_NEWUSER | CLONE_FILES | SIGCHLD | flags, nullptr,
                             nullptr, nullptr, 0);
  if (child < 0) return base::ErrnoStatus("clone into a user namespace");
  if (child == 0) Child(pipes, kinds, set_up);
  // It ends by itself, or with us: we are the first process of its PID namespace.
  BULKHEAD_RETURN_IF_ERROR(WriteMaps(pipes, map));
  return TakeReport(pipes, kinds.size());
}

}  // namespace

absl::Status MakeUserNamespace(int pod, schema::SandboxJob::Make::Reader make,
                               const std::function<absl::Status()>& set_up) {
  const uint32_t host = make.getIdMapping().getHostId(), count = make.getIdMapping().getLength();
  std::vector<const char*> kinds = {kUserPin};
  int flags = 0;
  const auto add = [&](bool wanted, int flag, const char* kind) {
    if (!wanted) return;
    flags |= flag;
    kinds.push_back(kind);
  };
  add(make.getNewNetwork(), CLONE_NEWNET, kNetworkPin);
  add(make.getNewIpc(), CLONE_NEWIPC, kIpcPin);
  add(make.getNewUts(), CLONE_NEWUTS, kUtsPin);
  const auto set_up_as_root = [&]() -> absl::Status {
    BULKHEAD_RETURN_IF_ERROR(BecomeRoot());
    return set_up();
  };
  BULKHEAD_ASSIGN_OR_RETURN(
      const std::vector<UniqueFd> namespaces,
      Make(flags, kinds, absl::StrCat("0 ", host, " ", count, "\n"), set_up_as_root));
  // It has no id 0: nobody is root there.
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<UniqueFd> layers,
                            Make(0, {kUserPin},
                                 absl::StrCat(security::kLayerIdShift, " ", host, " ",
                                              std::min(count, security::kLayerIdCount), "\n"),
                                 [] { return absl::OkStatus(); }));
  for (size_t i = 0; i < kinds.size(); ++i) {
    BULKHEAD_RETURN_IF_ERROR(PinNamespace(pod, kinds[i], namespaces[i].get()));
  }
  return PinNamespace(pod, kLayerIdsPin, layers[0].get());
}

}  // namespace bulkhead::sandbox
