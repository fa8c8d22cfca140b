#include "security/profile.h"

namespace bulkhead::security {
namespace {

constexpr const Profile* kAll[] = {
    &kFrontendProfile, &kBrokerProfile,   &kSpawnerProfile,    &kStreamingProfile, &kAuditorProfile,
    &kFetchProfile,    &kManifestProfile, &kImportProfile,     &kInflateProfile,   &kUnpackProfile,
    &kUserProfile,     &kMountProfile,    &kSandboxProfile,    &kCniProfile,       &kNetworkProfile,
    &kLaunchProfile,   &kMonitorProfile,  &kSignalProfile,     &kRemoveProfile,    &kInitProfile,
    &kDialProfile,     &kPackProfile,     &kSyncProfile,       &kLogProfile,       &kStatsProfile,
    &kUsageProfile,    &kNodefileProfile, &kNodeconfigProfile, &kCopyupProfile,    &kVerifyProfile,
    &kCheckProfile,    &kExportProfile,   &kCgroupProfile,     &kUnitProfile,      &kHandlesProfile,
    &kUserinitProfile, &kLxcProfile,
};

}  // namespace

absl::Span<const Profile* const> AllProfiles() { return kAll; }

const Profile* FindProfile(Kind kind) {
  for (const Profile* profile : kAll) {
    if (profile->kind == kind) return profile;
  }
  return nullptr;
}

const Profile* FindProfile(absl::string_view name) {
  for (const Profile* profile : kAll) {
    if (profile->name == name) return profile;
  }
  return nullptr;
}

}  // namespace bulkhead::security
