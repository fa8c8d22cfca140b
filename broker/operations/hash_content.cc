#include "broker/operations/hash_content.h"

#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/operations/image.h"
#include "broker/operations/layer.h"
#include "broker/operations/store_check.h"
#include "broker/spawner/worker.h"
#include "schema/worker/check.capnp.h"

namespace bulkhead::broker {
namespace {

// Long enough after a pull that hashing does not compete with what the pull was for.
constexpr absl::Duration kSealPause = absl::Seconds(60);

absl::StatusOr<ContentHash> Run(Fiber& fiber, Broker& broker, capnp::MessageBuilder& job,
                                absl::Span<const int> fds) {
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Start(fiber, broker.spawner, security::Kind::kCheck, job, fds));
  ContentHash hash;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::CheckResult>(
      fiber, [&](schema::CheckResult::Reader result, std::vector<base::UniqueFd>&) {
        hash = {.digest = DigestBytes(result.getDigest()), .bytes = result.getBytes()};
        return absl::OkStatus();
      }));
  return hash;
}

}  // namespace

absl::StatusOr<std::string> HashFile(Fiber& fiber, Broker& broker, int file) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::CheckJob>().setFile();
  BULKHEAD_ASSIGN_OR_RETURN(ContentHash hash, Run(fiber, broker, message, {file}));
  return hash.digest;
}

absl::StatusOr<ContentHash> HashLayer(Fiber& fiber, Broker& broker, const std::string& hex) {
  std::string bytes = base::FromHex(hex);
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::CheckJob>().initLayer().setBytes(
      kj::StringPtr(bytes.c_str(), bytes.size()).asBytes());
  return Run(fiber, broker, message, {});
}

void SealLayer(Broker& broker, const std::string& hex, const std::string& digest) {
  auto found = broker.state.layers().find(hex);
  if (found == broker.state.layers().end()) return;
  LayerObject layer = found->second;
  layer.seal = digest;
  absl::Status saved = broker.state.SaveLayer(hex, layer);
  if (saved.ok()) return;
  base::Log(base::Severity::kWarning, "could not record a layer's hash",
            {{"layer", hex}, {"why", saved.message()}});
}

void SealLayers(Fiber& fiber, Broker& broker) {
  while (true) {
    fiber.Sleep(kSealPause);
    DropExpiredPulls(broker);  // the next removal takes what they kept
    std::vector<std::string> open;
    for (const auto& [hex, layer] : broker.state.layers()) {
      if (layer.seal.empty() && !layer.damaged) open.push_back(hex);
    }
    for (const std::string& hex : open) {
      auto hashed = HashLayer(fiber, broker, hex);
      if (hashed.ok()) SealLayer(broker, hex, hashed->digest);
    }
  }
}

}  // namespace bulkhead::broker
