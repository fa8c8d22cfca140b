#include "base/status.h"

#include <nlohmann/json.hpp>

#include "frontend/cri/convert_common.h"
#include "frontend/cri/info.h"
#include "frontend/cri/rpcs.h"

namespace bulkhead::frontend {
namespace {

void AddCondition(const char* type, bool good, const char* bad_reason, const std::string& message,
                  v1::RuntimeStatus* status) {
  v1::RuntimeCondition* condition = status->add_conditions();
  condition->set_type(type);
  condition->set_status(good);
  if (good) return;
  condition->set_reason(bad_reason);
  condition->set_message(message);
}

void AddHandler(const std::string& name, v1::StatusResponse* response) {
  v1::RuntimeHandler* handler = response->add_runtime_handlers();
  handler->set_name(name);
  handler->mutable_features()->set_recursive_read_only_mounts(true);
  handler->mutable_features()->set_user_namespaces(true);
}

std::string Info(const Call& call) {
  nlohmann::json info = {{"rootDir", call.node.root_dir},
                         {"runDir", call.node.run_dir},
                         {"kernel", call.node.kernel},
                         {"cgroupMode", call.node.cgroup_mode},
                         {"cgroupDriver", call.node.systemd_cgroups ? "systemd" : "cgroupfs"},
                         {"defaultRuntime", call.node.default_runtime}};
  for (const Node::Runtime& runtime : call.node.runtimes) {
    info["runtimes"][runtime.name] = {{"version", runtime.version},
                                      {"path", runtime.path},
                                      {"ociVersionMax", runtime.oci_version_max}};
  }
  info["imageRules"] = nlohmann::json::array();
  for (const Node::ImageRule& rule : call.node.image_rules) {
    info["imageRules"].push_back({{"pattern", rule.pattern}, {"runtime", rule.runtime}});
  }
  for (const auto& [method, count] : call.counts.Read()) {
    info["calls"][method] = {{"calls", count.calls}, {"failed", count.failed}};
  }
  return InfoText(info);
}

}  // namespace

absl::Status Status(const Call& call, const v1::StatusRequest& request,
                    v1::StatusResponse& response) {
  Question<Broker::StatusParams> question;
  BULKHEAD_ASSIGN_OR_RETURN(const auto answer, Ask(call, &Broker::Client::statusRequest, question));
  const auto results = answer.results();
  v1::RuntimeStatus* status = response.mutable_status();
  AddCondition("RuntimeReady", results.getRuntimeReady(), "RuntimeNotReady",
               String(results.getRuntimeReason()), status);
  AddCondition("NetworkReady", results.getNetworkReady(), "NetworkNotReady",
               String(results.getNetworkReason()), status);
  AddHandler("", &response);  // the default goes by no name as well
  for (const Node::Runtime& runtime : call.node.runtimes) AddHandler(runtime.name, &response);
  response.mutable_features()->set_supplemental_groups_policy(true);
  if (request.verbose()) (*response.mutable_info())["config"] = Info(call);
  return absl::OkStatus();
}

}  // namespace bulkhead::frontend
