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
  uint32_t workers = 0;  // that have a job
  uint32_t operations = 0;
  std::vector<std::string> spares;  // kinds of the workers that stand by
};

// An image on its way.
struct AdminPull {
  struct Part {
    std::string digest;  // "sha256:<hex>"
    uint64_t size = 0;   // bytes
    uint64_t fetched = 0;
    schema::Pull::Part::State state = schema::Pull::Part::State::WAITING;
  };
  std::string reference;
  bool waiting = false;
  uint32_t callers = 0;  // who wait for it
  uint32_t seconds = 0;
  std::vector<Part> parts;
};

struct AdminFinding {
  std::string kind;  // "image", "blob", "layer", "leftover"
  std::string object;
  std::string problem;
  std::string repair;
  bool repaired = false;
};

struct AdminCheckReport {
  uint32_t images = 0;
  uint32_t blobs = 0;
  uint32_t layers = 0;
  uint64_t bytes = 0;
  std::vector<AdminFinding> findings;
};

// Each call connects to the admin socket (run_dir/admin.sock), asks once and ends; UNAVAILABLE
// where nobody answers, DEADLINE_EXCEEDED after the call's own time. They run an event loop of
// their own, so not from within one.

// archive: opened read-only. reference: parsed name for the image; nullptr: the archive's own
// names. Returns image ids.
absl::StatusOr<std::vector<std::string>> AdminImport(const std::string& socket,
                                                     base::UniqueFd archive,
                                                     const schema::ImageReference::Reader* name);
// Ids of the images that went. all: those that have tags as well.
absl::StatusOr<std::vector<std::string>> AdminPrune(const std::string& socket, bool all);
// archive: an empty file, open for writing. image: an id, or a normalised name. Returns its size.
absl::StatusOr<uint64_t> AdminExport(const std::string& socket, const std::string& image,
                                     base::UniqueFd archive);
absl::StatusOr<AdminCheckReport> AdminCheck(const std::string& socket, bool repair);
absl::StatusOr<AdminCounts> AdminStatus(const std::string& socket);
// Calls each for every operation on the pod or container that the broker remembers, oldest first.
// id: or a prefix of it; empty: all.
absl::Status AdminTimelines(const std::string& socket, const std::string& id,
                            std::function<void(schema::Timeline::Reader)> each);
absl::StatusOr<std::vector<AdminPull>> AdminPulls(const std::string& socket);

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

// Calls with what the broker has counted.
absl::Status AdminMetrics(const std::string& socket,
                          std::function<void(schema::Admin::MetricsResults::Reader)> with);

absl::Status AdminStopAll(const std::string& socket);

}  // namespace bulkhead::tools
