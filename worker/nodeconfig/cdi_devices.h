#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "schema/cdi.capnp.h"
#include "worker/nodeconfig/cdi_spec.h"

namespace bulkhead::worker {

// All specs of the node, and which of them gives a device.
class CdiRegistry {
 public:
  // directory: its place in the order of spec directories; a later one wins over an earlier one.
  void Add(CdiSpec spec, unsigned directory);
  // A file that could not be read: named where a device is not found.
  void AddBroken(const std::string& name, const absl::Status& why);

  // The edits of all devices together. devices: "vendor.com/class=name". NOT_FOUND: no spec has it;
  // FAILED_PRECONDITION: two specs of one directory have it.
  absl::Status Resolve(const std::vector<std::string>& devices,
                       schema::CdiEdits::Builder out) const;

 private:
  struct Source {
    const CdiSpec* spec = nullptr;
    unsigned directory = 0;
    bool conflict = false;
  };
  std::vector<std::unique_ptr<CdiSpec>> specs_;
  std::map<std::string, Source> devices_;
  std::string broken_;
};

}  // namespace bulkhead::worker
