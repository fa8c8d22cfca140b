#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"

namespace bulkhead::frontend {
namespace {

using schema::NamespaceMode;
using schema::Pod;

void FromMetadata(schema::PodConfig::Reader in, v1::PodSandboxMetadata* out) {
  out->set_name(String(in.getName()));
  out->set_uid(String(in.getUid()));
  out->set_namespace_(String(in.getNamespace()));
  out->set_attempt(in.getAttempt());
}

v1::PodSandboxState FromState(Pod::State state) {
  return state == Pod::State::READY ? v1::SANDBOX_READY : v1::SANDBOX_NOTREADY;
}

v1::NamespaceMode FromMode(NamespaceMode mode) {
  return static_cast<v1::NamespaceMode>(static_cast<int>(mode));
}

}  // namespace

void FromPod(Pod::Reader in, v1::PodSandbox* out) {
  const auto config = in.getConfig();
  out->set_id(String(in.getId()));
  FromMetadata(config, out->mutable_metadata());
  out->set_state(FromState(in.getState()));
  out->set_created_at(in.getCreatedAtNs());
  FromLabels(config.getLabels(), out->mutable_labels());
  FromLabels(config.getAnnotations(), out->mutable_annotations());
  out->set_runtime_handler(String(config.getHandler()));
}

void FromPodStatus(Pod::Reader in, v1::PodSandboxStatus* out) {
  const auto config = in.getConfig();
  out->set_id(String(in.getId()));
  FromMetadata(config, out->mutable_metadata());
  out->set_state(FromState(in.getState()));
  out->set_created_at(in.getCreatedAtNs());
  FromLabels(config.getLabels(), out->mutable_labels());
  FromLabels(config.getAnnotations(), out->mutable_annotations());
  out->set_runtime_handler(String(config.getHandler()));

  v1::NamespaceOption* options = out->mutable_linux()->mutable_namespaces()->mutable_options();
  options->set_network(FromMode(config.getNetwork()));
  options->set_pid(FromMode(config.getPid()));
  options->set_ipc(FromMode(config.getIpc()));
  v1::UserNamespace* user = options->mutable_userns_options();
  user->set_mode(FromMode(config.getUserNamespace()));
  if (in.getIdMapping().getLength() > 0) {
    for (v1::IDMapping* mapping : {user->add_uids(), user->add_gids()}) {
      mapping->set_host_id(in.getIdMapping().getHostId());
      mapping->set_length(in.getIdMapping().getLength());
    }
  }

  // The node's addresses are not the pod's to report.
  if (config.getNetwork() == NamespaceMode::NODE) return;
  v1::PodSandboxNetworkStatus* network = out->mutable_network();
  for (const auto ip : in.getIps()) {
    if (network->ip().empty()) {
      network->set_ip(String(ip));
    } else {
      network->add_additional_ips()->set_ip(String(ip));
    }
  }
}

}  // namespace bulkhead::frontend
