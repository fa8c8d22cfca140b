#include "broker/plan/process.h"

#include <linux/capability.h>
#include <string.h>

#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "security/workload/defaults.h"

namespace bulkhead::broker {
namespace {

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr uint64_t kAllCapabilities = (uint64_t{1} << (CAP_LAST_CAP + 1)) - 1;

struct Variable {
  std::string key;
  std::string value;
};

// A later setting of a name replaces the earlier one in its place.
void SetVariable(std::vector<Variable>& env, Variable variable) {
  for (Variable& known : env) {
    if (known.key == variable.key) {
      known.value = std::move(variable.value);
      return;
    }
  }
  env.push_back(std::move(variable));
}

void AddVariables(capnp::List<schema::KeyValue>::Reader list, std::vector<Variable>& env) {
  for (auto entry : list) {
    auto value = entry.getValue();
    SetVariable(env, {entry.getKey().cStr(),
                      std::string(reinterpret_cast<const char*>(value.begin()), value.size())});
  }
}

void WriteEnvironment(const std::vector<Variable>& env, schema::Process::Builder out) {
  auto list = out.initEnv(env.size());
  for (size_t i = 0; i < env.size(); ++i) {
    list[i].setKey(env[i].key);
    list[i].setValue(
        kj::arrayPtr(reinterpret_cast<const kj::byte*>(env[i].value.data()), env[i].value.size()));
  }
}

void PlanEnvironment(const ContainerInputs& in, schema::Process::Builder out) {
  std::vector<Variable> env;
  absl::string_view path = kDefaultPath;
  SetVariable(env, {"PATH", std::string(absl::StripPrefix(path, "PATH="))});
  if (in.config.getTty()) SetVariable(env, {"TERM", "xterm"});
  // What `hostname` says in the container: a pod on the node's network has the node's name.
  auto pod = in.pod.getConfig();
  bool own_name = pod.getHostname().size() > 0 && pod.getNetwork() != schema::NamespaceMode::NODE;
  kj::StringPtr hostname = own_name ? pod.getHostname() : in.node.getHost().getHostname();
  if (hostname.size() > 0) SetVariable(env, {"HOSTNAME", hostname.cStr()});
  AddVariables(in.image.getEnv(), env);
  AddVariables(in.config.getEnvs(), env);
  AddVariables(in.cdi.getEnv(), env);
  WriteEnvironment(env, out);
}

absl::Status PlanArguments(const ContainerInputs& in, schema::Process::Builder out) {
  // Kubernetes: a command replaces the image's entrypoint and drops its cmd; args alone replace the
  // cmd.
  std::vector<kj::StringPtr> args;
  auto append = [&args](capnp::List<capnp::Text>::Reader list) {
    for (auto text : list) args.push_back(text);
  };
  bool has_command = in.config.getCommand().size() > 0;
  bool has_args = in.config.getArgs().size() > 0;
  append(has_command ? in.config.getCommand() : in.image.getEntrypoint());
  if (has_args) {
    append(in.config.getArgs());
  } else if (!has_command) {
    append(in.image.getCmd());
  }
  if (args.empty()) {
    return absl::InvalidArgumentError(
        "config.command: empty, and the image has neither entrypoint nor cmd");
  }
  auto list = out.initArgs(args.size());
  for (size_t i = 0; i < args.size(); ++i) list.set(i, args[i]);
  return absl::OkStatus();
}

// With the groups of the devices that CDI gives, without which the user could not open them.
void PlanUser(const ContainerInputs& in, schema::Process::Builder out) {
  out.setUser(in.user);
  auto gids = in.cdi.getAdditionalGids();
  if (gids.size() == 0) return;
  std::set<uint32_t> all;
  for (uint32_t gid : gids) all.insert(gid);
  for (uint32_t gid : in.user.getAdditionalGids()) all.insert(gid);
  auto list = out.getUser().initAdditionalGids(all.size());
  unsigned i = 0;
  for (uint32_t gid : all) list.set(i++, gid);
}

kj::StringPtr DirectoryOf(const ContainerInputs& in) {
  if (in.config.getWorkingDir().size() > 0) return in.config.getWorkingDir();
  if (in.image.getWorkingDir().size() > 0) return in.image.getWorkingDir();
  return "/";
}

}  // namespace

uint64_t PlanCapabilities(schema::SecurityContext::Reader context) {
  if (context.getPrivileged()) return kAllCapabilities;
  uint64_t set = security::DefaultCapabilities();
  if (context.getAddAllCapabilities()) set = kAllCapabilities;
  if (context.getDropAllCapabilities()) set = 0;
  // Named ones win over "ALL", so that dropping all and adding one leaves that one.
  set |= context.getAddCapabilities() | context.getAmbientCapabilities();
  return set & ~context.getDropCapabilities() & kAllCapabilities;
}

absl::Status PlanProcess(const ContainerInputs& in, schema::Process::Builder out) {
  auto security = in.config.getSecurity();
  absl::Status status = PlanArguments(in, out);
  if (!status.ok()) return status;
  PlanEnvironment(in, out);
  out.setCwd(DirectoryOf(in));
  if (out.getCwd().asReader()[0] != '/') {
    return absl::InvalidArgumentError("config.working_dir: the image's is not absolute");
  }
  PlanUser(in, out);
  out.setCapabilities(PlanCapabilities(security));
  out.setAmbient(security.getAmbientCapabilities() & out.getCapabilities());
  out.setNoNewPrivileges(security.getNoNewPrivs() && !security.getPrivileged());
  out.setOomScoreAdj(static_cast<int32_t>(in.config.getResources().getOomScoreAdj()));
  out.setTerminal(in.config.getTty());
  if (security.getHasSeccomp() && !security.getPrivileged()) {
    out.setSeccomp(security.getSeccomp());
  } else {
    out.initSeccomp().setType(schema::SecurityProfile::Type::UNCONFINED);
  }
  return absl::OkStatus();
}

void PlanTerminal(schema::Process::Builder process) {
  process.setTerminal(true);
  std::vector<Variable> env;
  AddVariables(process.asReader().getEnv(), env);
  for (const Variable& known : env) {
    if (known.key == "TERM") return;
  }
  SetVariable(env, {"TERM", "xterm"});
  WriteEnvironment(env, process);
}

int ParseSignal(absl::string_view text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) return number >= 1 && number <= 64 ? number : 0;
  absl::string_view name = absl::StripPrefix(text, "SIG");
  for (number = 1; number < SIGRTMIN; ++number) {
    const char* known = sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  if (absl::ConsumePrefix(&name, "RTMIN")) {
    if (name.empty()) return SIGRTMIN;
    if (absl::ConsumePrefix(&name, "+") && absl::SimpleAtoi(name, &number) && number >= 0 &&
        SIGRTMIN + number <= SIGRTMAX) {
      return SIGRTMIN + number;
    }
  }
  return 0;
}

}  // namespace bulkhead::broker
