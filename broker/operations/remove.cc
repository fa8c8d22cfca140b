#include "broker/operations/remove.h"

#include "base/ids.h"
#include "base/status.h"
#include "schema/worker/remove.capnp.h"

namespace bulkhead::broker {
namespace {

absl::Status RunRemove(Fiber& fiber, Broker& broker, capnp::MessageBuilder& message) {
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Start(fiber, broker.spawner, security::Kind::kRemove, message));
  return worker->Finish<schema::RemoveResult>(fiber);
}

}  // namespace

absl::Status RemoveContainerFiles(Fiber& fiber, Worker& remover, const std::string& container_id) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::RemoveJob>().setContainer(container_id);
  BULKHEAD_RETURN_IF_ERROR(remover.Give(fiber, message));
  return remover.Finish<schema::RemoveResult>(fiber);
}

absl::Status RemoveLayerDirectory(Fiber& fiber, Broker& broker, const std::string& diff_id_hex) {
  std::string bytes = base::FromHex(diff_id_hex);
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::RemoveJob>().initLayer().setBytes(
      kj::StringPtr(bytes.c_str(), bytes.size()).asBytes());
  return RunRemove(fiber, broker, message);
}

absl::Status RemoveStagingDirectory(Fiber& fiber, Broker& broker, const std::string& name) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::RemoveJob>().setStaging(name);
  return RunRemove(fiber, broker, message);
}

}  // namespace bulkhead::broker
