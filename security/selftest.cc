#include "security/selftest.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "ipc/message.h"
#include "ipc/send_fd.h"
#include "ipc/spawn_protocol.h"
#include "security/enforce/inspect.h"

namespace bulkhead::security {
namespace {

using ipc::SpawnEvent;
using ipc::SpawnReply;

constexpr absl::Duration kSettling = absl::Seconds(5);  // of one worker
constexpr absl::Duration kPatience =
    absl::Seconds(60);  // for all of them, on a node that is busy starting

bool IsWorker(const Profile& profile) {
  return profile.kind >= Kind::kFetch && profile.kind != Kind::kMonitor;
}

absl::Status RequestSpawn(int spawner, uint64_t id, Kind kind, int control) {
  ipc::SpawnRequest request = {.magic = ipc::kSpawnMagic,
                               .op = ipc::SpawnOp::kSpawn,
                               .id = id,
                               .kind = static_cast<uint32_t>(kind)};
  if (ipc::SendWithFd(spawner, &request, sizeof(request), control, MSG_NOSIGNAL) ==
      sizeof(request)) {
    return absl::OkStatus();
  }
  return base::ErrnoStatus("ask the spawner");
}

absl::StatusOr<SpawnReply> ReceiveReply(int spawner, base::Deadline deadline) {
  BULKHEAD_RETURN_IF_ERROR(ipc::PollWaiter().Readable(spawner, deadline));
  SpawnReply reply;
  const ssize_t got = recv(spawner, &reply, sizeof(reply), MSG_DONTWAIT);
  if (got != sizeof(reply) || reply.magic != ipc::kSpawnMagic) {
    return absl::UnavailableError("the spawner gives no answer");
  }
  return reply;
}

// Waits for the answer that matters; those of workers that were given up on pass by.
absl::StatusOr<SpawnReply> Await(int spawner, uint64_t id, SpawnEvent event,
                                 base::Deadline deadline) {
  for (;;) {
    BULKHEAD_ASSIGN_OR_RETURN(const SpawnReply reply, ReceiveReply(spawner, deadline));
    if (reply.id != id) continue;
    if (reply.event == event) return reply;
    if (reply.event == SpawnEvent::kFailed) return base::ErrnoStatus("start", reply.value);
    return absl::FailedPreconditionError(
        absl::StrCat("ended before its time, wait status ", reply.value));
  }
}

absl::Status CheckCgroup(pid_t pid) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string text,
                            base::ReadFile(absl::StrCat("/proc/", pid, "/cgroup"), 64 << 10));
  if (absl::StrContains(text, "/bulkhead/worker-")) return absl::OkStatus();
  return absl::FailedPreconditionError("not in a cgroup of its own");
}

absl::Status CheckExit(const SpawnReply& exited) {
  if (WIFEXITED(exited.value) && WEXITSTATUS(exited.value) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("did not end well without a job: wait status ", exited.value));
}

absl::Status TestWorker(int spawner, uint64_t id, const Profile& profile, const Places& places,
                        base::Deadline deadline) {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair control, base::MakeSocketPair(SOCK_STREAM));
  BULKHEAD_RETURN_IF_ERROR(RequestSpawn(spawner, id, profile.kind, control.second.get()));
  control.second.Reset();
  BULKHEAD_ASSIGN_OR_RETURN(const SpawnReply started,
                            Await(spawner, id, SpawnEvent::kStarted, deadline));
  const absl::Status hello = ipc::Receive(control.first.get(), {}, deadline).status();
  if (!hello.ok()) return base::Annotate(hello, "no hello");
  // Some confine themselves further before they wait for a job, by descriptors that they close again.
  BULKHEAD_RETURN_IF_ERROR(
      InspectWhenEntered(profile, started.pid, {.places = places, .exact_fds = true},
                         base::Deadline::After(kSettling)));
  BULKHEAD_RETURN_IF_ERROR(CheckCgroup(started.pid));
  control.first.Reset();
  BULKHEAD_ASSIGN_OR_RETURN(const SpawnReply exited,
                            Await(spawner, id, SpawnEvent::kExited, deadline));
  return CheckExit(exited);
}

}  // namespace

absl::Status TestWorkers(int spawner, const Places& places) {
  const base::Deadline deadline = base::Deadline::After(kPatience);
  std::vector<std::string> failures;
  uint64_t id = 0;
  for (const Profile* profile : AllProfiles()) {
    if (!IsWorker(*profile)) continue;
    const absl::Status status = TestWorker(spawner, ++id, *profile, places, deadline);
    if (!status.ok()) failures.push_back(absl::StrCat(profile->name, ": ", status.message()));
  }
  if (failures.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("workers are not what their tables say: ", absl::StrJoin(failures, "\n")));
}

}  // namespace bulkhead::security
