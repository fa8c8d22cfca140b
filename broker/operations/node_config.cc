#include "broker/operations/node_config.h"

#include "base/status.h"
#include "broker/operations/document.h"
#include "broker/operations/layer.h"
#include "broker/spawner/worker.h"
#include "schema/worker/nodeconfig.capnp.h"
#include "schema/worker/nodefile.capnp.h"
#include "validate/node_config.h"

namespace bulkhead::broker {
namespace {

constexpr char kSeccompField[] = "config.linux.security_context.seccomp.localhost_ref";
constexpr char kCdiField[] = "config.CDI_devices";
constexpr size_t kMaxAnswerBytes = 8 << 20;

struct Opened {
  Record<schema::NodefileResult> result;
  std::vector<base::UniqueFd> fds;
};

absl::StatusOr<Opened> OpenFiles(Fiber& fiber, Broker& broker, capnp::MessageBuilder& job) {
  BULKHEAD_ASSIGN_OR_RETURN(auto worker,
                            Worker::Start(fiber, broker.spawner, security::Kind::kNodefile, job, {},
                                          {.result = {.max_fds = ipc::kMaxFds}}));
  Opened opened;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::NodefileResult>(
      fiber, [&](schema::NodefileResult::Reader result, std::vector<base::UniqueFd>& fds) {
        opened.result = Record<schema::NodefileResult>(result);
        opened.fds = std::move(fds);
        return absl::OkStatus();
      }));
  return opened;
}

absl::StatusOr<Record<schema::NodeconfigResult>> Parse(Fiber& fiber, Broker& broker,
                                                       capnp::MessageBuilder& job,
                                                       const std::vector<base::UniqueFd>& files) {
  std::vector<int> fds;
  for (const base::UniqueFd& file : files) fds.push_back(file.get());
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kNodeconfig, job, fds,
                                 {.result = {.max_bytes = kMaxAnswerBytes}}));
  Record<schema::NodeconfigResult> parsed;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::NodeconfigResult>(
      fiber, [&](schema::NodeconfigResult::Reader result, std::vector<base::UniqueFd>&) {
        parsed = Record<schema::NodeconfigResult>(result);
        return absl::OkStatus();
      }));
  return parsed;
}

absl::Status ReadSeccomp(Fiber& fiber, Broker& broker, schema::SecurityProfile::Reader profile,
                         uint64_t capabilities, Record<schema::SeccompFilter>* out) {
  capnp::MallocMessageBuilder open_message, parse_message;
  auto open = open_message.initRoot<schema::NodefileJob>().initSeccompProfile();
  open.setPath(profile.getLocalhostRef());
  open.setRoot(broker.config.getSeccompRoot());
  BULKHEAD_ASSIGN_OR_RETURN(const Opened opened, OpenFiles(fiber, broker, open_message));
  auto parse = parse_message.initRoot<schema::NodeconfigJob>().initSeccomp();
  parse.setCapabilities(capabilities);
  parse.setArchitecture(kArchitecture);
  parse.setKernel(broker.config.getHost().getKernel());
  BULKHEAD_ASSIGN_OR_RETURN(const auto parsed, Parse(fiber, broker, parse_message, opened.fds));
  if (!parsed.read().isSeccomp()) return absl::InternalError("nodeconfig: no filter");
  BULKHEAD_RETURN_IF_ERROR(validate::CheckSeccompFilter(parsed.read().getSeccomp()));
  *out = Record<schema::SeccompFilter>(parsed.read().getSeccomp());
  return absl::OkStatus();
}

absl::Status ReadCdi(Fiber& fiber, Broker& broker, capnp::List<capnp::Text>::Reader devices,
                     Record<schema::CdiEdits>* out) {
  capnp::MallocMessageBuilder open_message, parse_message;
  open_message.initRoot<schema::NodefileJob>().setCdiSpecs(broker.config.getCdiSpecDirs());
  BULKHEAD_ASSIGN_OR_RETURN(const Opened opened, OpenFiles(fiber, broker, open_message));
  auto parse = parse_message.initRoot<schema::NodeconfigJob>().initCdi();
  parse.setDevices(devices);
  parse.setFiles(opened.result.read().getFiles());
  BULKHEAD_ASSIGN_OR_RETURN(const auto parsed, Parse(fiber, broker, parse_message, opened.fds));
  if (!parsed.read().isCdi()) return absl::InternalError("nodeconfig: no edits");
  BULKHEAD_RETURN_IF_ERROR(
      validate::CheckCdiEdits(parsed.read().getCdi(), broker.config.getCdiHooks()));
  *out = Record<schema::CdiEdits>(parsed.read().getCdi());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeConfig> ReadNodeConfig(Fiber& fiber, Broker& broker,
                                          schema::ContainerConfig::Reader config,
                                          uint64_t capabilities) {
  NodeConfig out;
  const auto security = config.getSecurity();
  if (security.getHasSeccomp() && !security.getPrivileged() &&
      security.getSeccomp().getType() == schema::SecurityProfile::Type::LOCALHOST) {
    BULKHEAD_RETURN_IF_ERROR(base::Annotate(
        ReadSeccomp(fiber, broker, security.getSeccomp(), capabilities, &out.seccomp),
        kSeccompField));
  }
  if (config.getCdiDevices().size() > 0) {
    BULKHEAD_RETURN_IF_ERROR(
        base::Annotate(ReadCdi(fiber, broker, config.getCdiDevices(), &out.cdi), kCdiField));
  }
  return out;
}

}  // namespace bulkhead::broker
