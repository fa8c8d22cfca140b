#include "security/policy/pod_facts.h"

namespace bulkhead::security {

ProcessFacts ProcessOf(schema::Process::Reader process) {
  ProcessFacts facts = {.capabilities = process.getCapabilities() | process.getAmbient(),
                        .no_new_privs = process.getNoNewPrivileges(),
                        .uid = process.getUser().getUid()};
  SetSeccomp(process.getSeccomp().getType(), &facts);
  return facts;
}

LimitFacts LimitsOf(schema::Resources::Reader resources) {
  LimitFacts facts = {.memory = resources.getMemoryLimit(),
                      .cpu_quota = resources.getCpuQuota(),
                      .cpu_period = resources.getCpuPeriod()};
  for (schema::Label::Reader entry : resources.getUnified()) {
    if (entry.getKey() == "memory.max") facts.memory_file = entry.getValue().cStr();
    if (entry.getKey() == "cpu.max") facts.cpu_file = entry.getValue().cStr();
    if (entry.getKey() == "pids.max") facts.pids_file = entry.getValue().cStr();
  }
  return facts;
}

void SetSeccomp(schema::SecurityProfile::Type type, ProcessFacts* facts) {
  facts->seccomp_unconfined = type == schema::SecurityProfile::Type::UNCONFINED;
  facts->seccomp_localhost = type == schema::SecurityProfile::Type::LOCALHOST;
}

std::vector<std::string> TextsOf(capnp::List<capnp::Text>::Reader list) {
  std::vector<std::string> texts;
  for (capnp::Text::Reader text : list) texts.emplace_back(text.cStr());
  return texts;
}

}  // namespace bulkhead::security
