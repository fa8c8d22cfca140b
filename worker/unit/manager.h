#pragma once

#include <systemd/sd-bus.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/unit/properties.h"

namespace bulkhead::unit {

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};

// systemd, over the system bus. Each call waits at most some seconds.
class Manager {
 public:
  // UNAVAILABLE: no bus, or nobody of that name on it.
  static absl::StatusOr<Manager> Connect();

  struct State {
    bool active = false;
    std::string description;
  };
  // A unit that there is not is inactive.
  absl::StatusOr<State> Look(const std::string& unit);
  // Makes a transient slice and waits until it is active. ALREADY_EXISTS: there is one of that
  // name.
  absl::Status StartSlice(const std::string& unit, const std::string& description,
                          const std::vector<Property>& properties);
  // NOT_FOUND: no such unit.
  absl::Status SetProperties(const std::string& unit, const std::vector<Property>& properties);
  // Waits until it is inactive.
  absl::Status Stop(const std::string& unit);

 private:
  explicit Manager(sd_bus* bus) : bus_(bus) {}
  absl::Status AwaitJob(const std::string& job);

  std::unique_ptr<sd_bus, CloseBus> bus_;
};

}  // namespace bulkhead::unit
