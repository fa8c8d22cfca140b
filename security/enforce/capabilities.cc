#include <sys/capability.h>

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "security/enforce/steps.h"

namespace bulkhead::security {
namespace {

struct FreeCaps {
  void operator()(cap_t caps) const { cap_free(caps); }
};
using CapSet = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps>;

// What of the table this node can give at all: a container host may lack some itself.
absl::StatusOr<std::vector<cap_value_t>> Available(const Profile& profile) {
  CapSet current(cap_get_proc());
  if (current == nullptr) return base::ErrnoStatus("capget");
  std::vector<cap_value_t> available;
  for (const Cap& row : profile.capabilities) {
    cap_flag_value_t held = CAP_CLEAR;
    cap_get_flag(current.get(), row.number, CAP_PERMITTED, &held);
    if (held == CAP_SET) {
      available.push_back(row.number);
    } else {
      base::Log(base::Severity::kWarning, "this node does not give a capability of the table",
                {{"kind", profile.name}, {"capability", row.number}, {"for", row.reason}});
    }
  }
  return available;
}

}  // namespace

absl::Status DropBounding(const Profile& profile, const Places&) {
  for (cap_value_t cap = 0; cap < cap_max_bits(); ++cap) {
    const bool kept = std::any_of(profile.capabilities.begin(), profile.capabilities.end(),
                                  [cap](const Cap& row) { return row.number == cap; });
    if (kept || cap_get_bound(cap) <= 0) continue;
    if (cap_drop_bound(cap) != 0) return base::ErrnoStatus("drop from the bounding set");
  }
  return absl::OkStatus();
}

absl::Status SetCapabilities(const Profile& profile, const Places&) {
  if (profile.uid != 0 && !profile.capabilities.empty()) {
    return absl::InternalError("only root kinds hold capabilities");
  }
  if (cap_reset_ambient() != 0) return base::ErrnoStatus("clear ambient capabilities");
  BULKHEAD_ASSIGN_OR_RETURN(const std::vector<cap_value_t> keep, Available(profile));
  CapSet set(cap_init());
  if (set == nullptr) return base::ErrnoStatus("cap_init");
  if (!keep.empty()) {
    const int count = static_cast<int>(keep.size());
    cap_set_flag(set.get(), CAP_PERMITTED, count, keep.data(), CAP_SET);
    cap_set_flag(set.get(), CAP_EFFECTIVE, count, keep.data(), CAP_SET);
  }
  if (cap_set_proc(set.get()) != 0) return base::ErrnoStatus("capset");
  return absl::OkStatus();
}

absl::Status CheckNoCapabilities(const Profile& profile, const Places&) {
  if (!profile.capabilities.empty()) return absl::InternalError("a kind that holds some");
  CapSet held(cap_get_proc()), none(cap_init());
  if (held == nullptr || none == nullptr) return base::ErrnoStatus("capget");
  if (cap_compare(held.get(), none.get()) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError("some are left");
}

}  // namespace bulkhead::security
