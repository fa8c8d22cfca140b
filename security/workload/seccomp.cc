#include "security/workload/seccomp.h"

#include <linux/capability.h>

#include <cerrno>
#include <set>
#include <string>

#include "security/workload/seccomp_table.h"

namespace bulkhead::security {
namespace {

using nlohmann::json;

bool Has(uint64_t capabilities, int number) {
  return number != kNoCapability && (capabilities >> number & 1) != 0;
}

json AllowedNames(uint64_t capabilities) {
  std::set<std::string> names;
  for (const AllowedCalls& row : SeccompAllowed()) {
    if (row.capability != kNoCapability && !Has(capabilities, row.capability)) continue;
    for (absl::string_view name : row.names) names.emplace(name);
  }
  return {{"names", names}, {"action", "SCMP_ACT_ALLOW"}};
}

json ArgumentRule(const AllowedArgument& row) {
  json arg = {{"index", row.index}};
  if (row.compare == Compare::kEqual) {
    arg["value"] = row.value;
    arg["op"] = "SCMP_CMP_EQ";
  } else {
    arg["value"] = row.mask;
    arg["valueTwo"] = row.value;
    arg["op"] = "SCMP_CMP_MASKED_EQ";
  }
  return {{"names", json::array({row.name})},
          {"action", "SCMP_ACT_ALLOW"},
          {"args", json::array({arg})}};
}

// Callers fall back on ENOSYS: C libraries from clone3, whose flags a filter cannot see, to clone,
// and from socketcall, whose arguments it cannot see either, to the calls of their own.
json Unknown(const char* name) {
  return {{"names", json::array({name})}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}};
}

json Architectures() {
#if defined(__x86_64__)
  return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  return {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
#error "no seccomp architectures for this machine"
#endif
}

}  // namespace

json DefaultSeccomp(uint64_t capabilities) {
  json calls = json::array({AllowedNames(capabilities)});
  for (const AllowedArgument& row : SeccompAllowedArguments()) {
    if (!Has(capabilities, row.unless_capability)) calls.push_back(ArgumentRule(row));
  }
  if (!Has(capabilities, CAP_SYS_ADMIN)) calls.push_back(Unknown("clone3"));
  calls.push_back(Unknown("socketcall"));
  return {{"defaultAction", "SCMP_ACT_ERRNO"},
          {"defaultErrnoRet", EPERM},
          {"architectures", Architectures()},
          {"syscalls", calls}};
}

}  // namespace bulkhead::security
