#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "schema/admin.capnp.h"

namespace bulkhead::tools {

struct AdminCounts {
  uint32_t pods = 0;
  uint32_t ready_pods = 0;
  uint32_t containers = 0;
  uint32_t running_containers = 0;
  uint32_t images = 0;
  uint32_t workers = 0;
  uint32_t operations = 0;
};

// Each call connects to the admin socket (run_dir/admin.sock), asks once and ends; UNAVAILABLE
// where nobody answers, DEADLINE_EXCEEDED after the call's own time. They run an event loop of
// their own, so not from within one.

// archive: opened read-only. reference: parsed name for the image; nullptr: the archive's own
// names. Returns image ids.
absl::StatusOr<std::vector<std::string>> AdminImport(const std::string& socket,
                                                     base::UniqueFd archive,
                                                     const schema::ImageReference::Reader* name);
absl::StatusOr<AdminCounts> AdminStatus(const std::string& socket);
// Calls each for every operation on the pod or container that the broker remembers, oldest first.
// id: or a prefix of it; empty: all.
absl::Status AdminTimelines(const std::string& socket, const std::string& id,
                            std::function<void(schema::Timeline::Reader)> each);

struct AdminNetworks {
  struct Debt {
    std::string pod_id, pod_name, pod_namespace, network, last_error;
    uint32_t failures = 0;
    absl::Time due_since;
  };
  bool ready = false;
  std::string reason, network, file;
  uint32_t attachments = 0;
  uint32_t owed = 0;        // DELs that are still to be done
  std::vector<Debt> debts;  // the first of them
};
absl::StatusOr<AdminNetworks> AdminNetworkStatus(const std::string& socket);

struct AdminPodNetwork {
  std::string pod_id, pod_name, pod_namespace;
  absl::Status status;
};
// CNI CHECK of each pod with a network of its own.
absl::StatusOr<std::vector<AdminPodNetwork>> AdminCheckNetworks(const std::string& socket);
// CNI GC.
absl::Status AdminCollectNetworkGarbage(const std::string& socket);

absl::Status AdminStopAll(const std::string& socket);

}  // namespace bulkhead::tools
