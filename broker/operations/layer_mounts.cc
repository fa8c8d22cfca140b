#include "broker/operations/layer_mounts.h"

#include <algorithm>
#include <set>

#include "base/ids.h"
#include "broker/operations/layer.h"
#include "ipc/message.h"

namespace bulkhead::broker {
namespace {

// A descriptor each; a node has fewer layers in use. Beyond that, layers are mounted for each
// container.
constexpr size_t kMostMounts = 1024;

}  // namespace

std::vector<int> ShareLayerMounts(Broker& broker, size_t volumes, schema::MountJob::Builder job) {
  std::vector<int> fds;
  std::vector<uint32_t> shared;
  auto layers = job.asReader().getLayers();
  for (unsigned i = 0; i < layers.size() && fds.size() < ipc::kMaxFds; ++i) {
    auto found = broker.layer_mounts.find(base::ToHex(DigestBytes(layers[i])));
    if (found == broker.layer_mounts.end()) continue;
    shared.push_back(i);
    fds.push_back(found->second.get());
  }
  auto list = job.initShared(shared.size());
  for (size_t i = 0; i < shared.size(); ++i) list.set(i, shared[i]);
  const size_t room = volumes + 1 < ipc::kMaxFds ? ipc::kMaxFds - volumes - 1 : 0;
  job.setMaxNewMounts(
      std::min(room, kMostMounts - std::min(kMostMounts, broker.layer_mounts.size())));
  return fds;
}

void KeepLayerMounts(Broker& broker, capnp::List<schema::Digest>::Reader layers,
                     schema::MountResult::Reader result, absl::Span<base::UniqueFd> fds) {
  auto indices = result.getNewMounts();
  for (unsigned i = 0; i < indices.size() && i < fds.size(); ++i) {
    if (indices[i] >= layers.size()) continue;
    const std::string hex = base::ToHex(DigestBytes(layers[indices[i]]));
    if (broker.state.layers().contains(hex))
      broker.layer_mounts.try_emplace(hex, std::move(fds[i]));
  }
}

void DropLayerMounts(Broker& broker, capnp::List<schema::Digest>::Reader layers) {
  if (broker.layer_mounts.empty()) return;
  std::set<std::string> unused;
  for (auto layer : layers) unused.insert(base::ToHex(DigestBytes(layer)));
  for (const auto& [id, container] : broker.state.containers()) {
    for (auto layer : container->record.read().getLayers()) {
      unused.erase(base::ToHex(DigestBytes(layer)));
    }
    if (unused.empty()) return;
  }
  for (const std::string& hex : unused) broker.layer_mounts.erase(hex);
}

}  // namespace bulkhead::broker
