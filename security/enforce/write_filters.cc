// A tool of the build: writes C++ with the seccomp filter of each kind, from the tables, to
// standard output.
#include <cstdio>

#include "absl/status/statusor.h"
#include "security/enforce/seccomp.h"

namespace bulkhead::security {
namespace {

void WriteArray(const Profile& profile, const std::vector<sock_filter>& filter) {
  printf("constexpr sock_filter k_%s[] = {\n", profile.name);
  for (const sock_filter& step : filter) {
    printf("    {%#x, %u, %u, %#x},\n", step.code, step.jt, step.jf, step.k);
  }
  printf("};\n");
}

int Main() {
  printf(
      "#include \"security/enforce/seccomp.h\"\n\nnamespace bulkhead::security {\nnamespace {\n");
  for (const Profile* profile : AllProfiles()) {
    if (profile->confinement != Confinement::kFull) continue;
    const absl::StatusOr<std::vector<sock_filter>> filter = ComputeFilter(*profile);
    if (!filter.ok()) {
      fprintf(stderr, "%s: %s\n", profile->name, filter.status().ToString().c_str());
      return 1;
    }
    WriteArray(*profile, *filter);
  }
  printf(
      "}  // namespace\n\nabsl::Span<const sock_filter> CompiledFilter(Kind kind) {\n"
      "  switch (kind) {\n");
  for (const Profile* profile : AllProfiles()) {
    if (profile->confinement != Confinement::kFull) continue;
    printf("    case static_cast<Kind>(%u):\n      return k_%s;\n",
           static_cast<unsigned>(profile->kind), profile->name);
  }
  printf("    default:\n      return {};\n  }\n}\n\n}  // namespace bulkhead::security\n");
  return 0;
}

}  // namespace
}  // namespace bulkhead::security

int main() { return bulkhead::security::Main(); }
