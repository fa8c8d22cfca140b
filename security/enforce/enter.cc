#include "security/enforce/enter.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "security/enforce/steps.h"

#ifdef BULKHEAD_SANITIZED
// The leak checker traces the process, which none of these may allow.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif

namespace bulkhead::security {
namespace {

struct Step {
  const char* name;
  absl::Status (*run)(const Profile& profile, const Places& places);
};

// Namespaces and view need power, so they come before the ids and capabilities that give it away.
// The bounding set goes while CAP_SETPCAP is there. Landlock opens the listed paths, so seccomp,
// which may forbid that, is last.
constexpr Step kFullSteps[] = {
    {"close other descriptors", CloseOtherFds},
    {"limits", SetLimits},
    {"namespaces", MakeNamespaces},
    {"file system view", NarrowView},
    {"bounding set", DropBounding},
    {"ids", SetIds},
    {"capabilities", SetCapabilities},
    {"process attributes", SetHygiene},
    {"landlock", ApplyLandlock},
    {"seccomp", ApplySeccomp},
};

// Nothing that a container or a plugin would inherit.
constexpr Step kInheritableSteps[] = {
    {"close other descriptors", CloseOtherFds},
    {"namespaces", MakeNamespaces},
    {"file system view", NarrowView},
    {"capabilities", SetCapabilities},
};

// From root to a kind that is not. No capset: all capabilities go with uid 0.
constexpr Step kBecomeSteps[] = {
    {"bounding set", DropBounding},
    {"ids", SetIds},
    {"capabilities", CheckNoCapabilities},
    {"process attributes", SetHygiene},
    {"seccomp", ApplySeccomp},
};

[[noreturn]] void Die(const Profile& profile, absl::string_view step, absl::string_view why) {
  base::Log(base::Severity::kError, "cannot enter the profile",
            {{"kind", profile.name}, {"step", step}, {"error", why}});
  _exit(126);
}

// A program started by hand must not go on half confined.
void CheckStartedBySpawn(const Profile& profile) {
  if (geteuid() != 0) Die(profile, "start", "not started as root: the spawner starts it");
  if (profile.namespaces.pid == Ns::kNew && getpid() != 1) {
    Die(profile, "start", "not in a pid namespace of its own: the spawner starts it");
  }
}

void Take(absl::Span<const Step> steps, const Profile& profile, const Places& places) {
  prctl(PR_SET_NAME, absl::StrCat("bh-", profile.name).c_str());
  for (const Step& step : steps) {
    const absl::Status status = step.run(profile, places);
    if (!status.ok()) Die(profile, step.name, status.message());
  }
}

}  // namespace

void EnterOrDie(const Profile& profile, const Places& places) {
  CheckStartedBySpawn(profile);
  const bool full = profile.confinement == Confinement::kFull;
  Take(full ? absl::MakeConstSpan(kFullSteps) : absl::MakeConstSpan(kInheritableSteps), profile,
       places);
}

void BecomeOrDie(const Profile& profile) { Take(kBecomeSteps, profile, {}); }

}  // namespace bulkhead::security
