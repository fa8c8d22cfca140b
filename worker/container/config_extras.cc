#include "base/status.h"
#include "validate/node_config.h"
#include "worker/container/config_parts.h"

// What of config.json comes from files of the node: seccomp profiles and CDI hooks.
namespace bulkhead::container {
namespace {

using nlohmann::json;
using schema::SeccompFilter;
using Point = schema::CdiEdits::Hook::Point;

const char* ActionName(SeccompFilter::Action action) {
  switch (action) {
    case SeccompFilter::Action::KILL_THREAD:
      return "SCMP_ACT_KILL";
    case SeccompFilter::Action::KILL_PROCESS:
      return "SCMP_ACT_KILL_PROCESS";
    case SeccompFilter::Action::TRAP:
      return "SCMP_ACT_TRAP";
    case SeccompFilter::Action::ERRNO:
      return "SCMP_ACT_ERRNO";
    case SeccompFilter::Action::TRACE:
      return "SCMP_ACT_TRACE";
    case SeccompFilter::Action::LOG:
      return "SCMP_ACT_LOG";
    case SeccompFilter::Action::ALLOW:
      return "SCMP_ACT_ALLOW";
  }
  return "SCMP_ACT_KILL";
}

const char* CompareName(SeccompFilter::Compare compare) {
  switch (compare) {
    case SeccompFilter::Compare::NOT_EQUAL:
      return "SCMP_CMP_NE";
    case SeccompFilter::Compare::LESS:
      return "SCMP_CMP_LT";
    case SeccompFilter::Compare::LESS_OR_EQUAL:
      return "SCMP_CMP_LE";
    case SeccompFilter::Compare::EQUAL:
      return "SCMP_CMP_EQ";
    case SeccompFilter::Compare::GREATER_OR_EQUAL:
      return "SCMP_CMP_GE";
    case SeccompFilter::Compare::GREATER:
      return "SCMP_CMP_GT";
    case SeccompFilter::Compare::MASKED_EQUAL:
      return "SCMP_CMP_MASKED_EQ";
  }
  return "SCMP_CMP_EQ";
}

const char* PointName(Point point) {
  switch (point) {
    case Point::PRESTART:
      return "prestart";
    case Point::CREATE_RUNTIME:
      return "createRuntime";
    case Point::CREATE_CONTAINER:
      return "createContainer";
    case Point::START_CONTAINER:
      return "startContainer";
    case Point::POSTSTART:
      return "poststart";
    case Point::POSTSTOP:
      return "poststop";
  }
  return "poststop";
}

json Texts(capnp::List<capnp::Text>::Reader texts) {
  json list = json::array();
  for (capnp::Text::Reader text : texts) list.push_back(text.cStr());
  return list;
}

json RuleObject(SeccompFilter::Rule::Reader rule) {
  json out = {{"names", Texts(rule.getNames())}, {"action", ActionName(rule.getAction())}};
  if (rule.getHasErrno()) out["errnoRet"] = rule.getErrno();
  for (SeccompFilter::Argument::Reader arg : rule.getArgs()) {
    json object = {
        {"index", arg.getIndex()}, {"value", arg.getValue()}, {"op", CompareName(arg.getOp())}};
    if (arg.getOp() == SeccompFilter::Compare::MASKED_EQUAL) object["valueTwo"] = arg.getValueTwo();
    out["args"].push_back(std::move(object));
  }
  return out;
}

}  // namespace

absl::StatusOr<json> SeccompObject(SeccompFilter::Reader filter) {
  BULKHEAD_RETURN_IF_ERROR(validate::CheckSeccompFilter(filter));
  json out = {{"defaultAction", ActionName(filter.getDefaultAction())}};
  if (filter.getHasDefaultErrno()) out["defaultErrnoRet"] = filter.getDefaultErrno();
  if (filter.getArchitectures().size() > 0) out["architectures"] = Texts(filter.getArchitectures());
  if (filter.getFlags().size() > 0) out["flags"] = Texts(filter.getFlags());
  for (SeccompFilter::Rule::Reader rule : filter.getRules()) {
    out["syscalls"].push_back(RuleObject(rule));
  }
  return out;
}

absl::StatusOr<json> HooksObject(capnp::List<schema::CdiEdits::Hook>::Reader hooks) {
  json out = json::object();
  for (schema::CdiEdits::Hook::Reader hook : hooks) {
    BULKHEAD_RETURN_IF_ERROR(validate::CheckCdiHook(hook));
    json object = {{"path", hook.getPath().cStr()}};
    if (hook.getArgs().size() > 0) object["args"] = Texts(hook.getArgs());
    if (hook.getEnv().size() > 0) object["env"] = Texts(hook.getEnv());
    if (hook.getTimeoutSeconds() > 0) object["timeout"] = hook.getTimeoutSeconds();
    out[PointName(hook.getPoint())].push_back(std::move(object));
  }
  return out;
}

}  // namespace bulkhead::container
