// SECURITY: the spawner is root on the node and an ancestor of every container, so nothing confines
// it but its size. It holds the programs and directories of the workers. The broker talks to it in
// two fixed structs (spawn a compiled-in kind; kill one that it spawned), the supervisor hands it a
// new broker's socket. It reads no byte from anyone else; the configuration comes from root. Who
// owns it owns the node.
#include <fcntl.h>
#include <signal.h>

#include <cstring>

#include "base/fs.h"
#include "base/log.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"
#include "schema/config.capnp.h"
#include "security/enforce/enter.h"
#include "spawner/server.h"

namespace bulkhead::spawner {
namespace {

constexpr int kBrokerFd = 3;
constexpr int kConfigFd = 4;
constexpr int kProgramsFd = 5;
constexpr int kSupervisorFd = 6;
constexpr size_t kMaxConfigBytes = 1 << 20;

base::CgroupMode ModeOf(schema::Host::CgroupMode mode) {
  switch (mode) {
    case schema::Host::CgroupMode::V1:
      return base::CgroupMode::kV1;
    case schema::Host::CgroupMode::HYBRID:
      return base::CgroupMode::kHybrid;
    case schema::Host::CgroupMode::V2:
      return base::CgroupMode::kV2;
  }
  return base::CgroupMode::kV2;
}

absl::StatusOr<Settings> ReadSettings() {
  // The memfd is shared with the other processes, and so is its position.
  const off_t size = lseek(kConfigFd, 0, SEEK_END);
  if (size <= 0 || static_cast<size_t>(size) > kMaxConfigBytes) {
    return absl::InvalidArgumentError("configuration: no sensible size");
  }
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes,
                            base::ReadAt(kConfigFd, 0, static_cast<size_t>(size)));
  const absl::Span<const uint8_t> span(reinterpret_cast<const uint8_t*>(bytes.data()),
                                       bytes.size());
  BULKHEAD_RETURN_IF_ERROR(ipc::CheckSegmentTable(span));
  kj::Array<capnp::word> words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  memcpy(words.begin(), bytes.data(), words.asBytes().size());
  Settings settings;
  BULKHEAD_RETURN_IF_ERROR(ipc::Guarded([&] {
    capnp::FlatArrayMessageReader reader(words, ipc::SafeReaderOptions(bytes.size()));
    const schema::Config::Reader config = reader.getRoot<schema::Config>();
    settings.places = {config.getRootDir().cStr(), config.getRunDir().cStr()};
    settings.cgroup_mode = ModeOf(config.getHost().getCgroupMode());
  }));
  return settings;
}

absl::Status Run() {
  BULKHEAD_ASSIGN_OR_RETURN(const Settings settings, ReadSettings());
  BULKHEAD_ASSIGN_OR_RETURN(Resources resources, Resources::Open(kProgramsFd, settings.places));
  BULKHEAD_ASSIGN_OR_RETURN(Cgroups cgroups, Cgroups::Open(settings.cgroup_mode));
  Server server(Workers(std::move(resources), std::move(cgroups)), base::UniqueFd(kBrokerFd),
                base::UniqueFd(kSupervisorFd));
  return server.Serve();
}

}  // namespace
}  // namespace bulkhead::spawner

int main() {
  using namespace bulkhead;
  base::SetLogProcess("spawner");
  security::EnterOrDie(security::kSpawnerProfile);
  signal(SIGPIPE, SIG_IGN);
  const absl::Status status = spawner::Run();
  if (status.ok()) return 0;
  base::Log(base::Severity::kError, "the spawner ends", {{"error", status.message()}});
  return 1;
}
