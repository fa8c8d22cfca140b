#include "frontend/node.h"

#include <sys/stat.h>

#include <cstring>

#include "base/fs.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"

namespace bulkhead::frontend {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

const char* Name(schema::Host::CgroupMode mode) {
  switch (mode) {
    case schema::Host::CgroupMode::V1:
      return "v1";
    case schema::Host::CgroupMode::HYBRID:
      return "hybrid";
    case schema::Host::CgroupMode::V2:
      return "v2";
  }
  return "unknown";
}

}  // namespace

Node ToNode(schema::Config::Reader config) {
  Node node;
  node.root_dir = config.getRootDir().cStr();
  node.run_dir = config.getRunDir().cStr();
  for (const auto runtime : config.getRuntimes()) {
    node.runtimes.push_back({runtime.getName().cStr(), runtime.getVersion().cStr(),
                             runtime.getPath().cStr(),
                             runtime.getFeatures().getOciVersionMax().cStr()});
  }
  for (const auto rule : config.getImageRules()) {
    node.image_rules.push_back({rule.getPattern().cStr(), rule.getRuntime().cStr()});
  }
  node.default_runtime = config.getDefaultRuntime().cStr();
  for (const uint32_t uid : config.getAllowedUids()) node.allowed_uids.push_back(uid);
  node.kernel = config.getHost().getKernel().cStr();
  node.cgroup_mode = Name(config.getHost().getCgroupMode());
  node.systemd_cgroups = config.getHost().getCgroupDriver() == schema::Host::CgroupDriver::SYSTEMD;
  return node;
}

absl::StatusOr<Node> ReadNode(int memfd) {
  struct stat info;
  if (fstat(memfd, &info) != 0) return base::ErrnoStatus("fstat configuration");
  const auto size = static_cast<size_t>(info.st_size);
  if (size > kMaxConfigBytes) return absl::ResourceExhaustedError("read configuration: too long");
  BULKHEAD_ASSIGN_OR_RETURN(const std::string bytes, base::ReadAt(memfd, 0, size));
  BULKHEAD_RETURN_IF_ERROR(
      ipc::CheckSegmentTable({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  memcpy(words.begin(), bytes.data(), words.asBytes().size());
  Node node;
  BULKHEAD_RETURN_IF_ERROR(ipc::Guarded([&] {
    capnp::FlatArrayMessageReader reader(words, ipc::SafeReaderOptions(bytes.size()));
    node = ToNode(reader.getRoot<schema::Config>());
  }));
  return node;
}

}  // namespace bulkhead::frontend
