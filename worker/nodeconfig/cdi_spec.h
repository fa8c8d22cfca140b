#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/cdi.capnp.h"
#include "worker/parse/strict_json.h"

namespace bulkhead::worker {

// One CDI spec file (Container Device Interface specification, versions 0.3 to 1.0), as plain
// values.
struct CdiEdit {
  struct Device {
    std::string path;
    std::string host_path;
    std::string permissions = "rwm";
    std::optional<uint32_t> file_mode, uid, gid;
  };
  struct Mount {
    std::string host_path;
    std::string container_path;
    bool readonly = false;
    uint64_t options = 0;  // validate/mount_options.h
  };
  struct Hook {
    schema::CdiEdits::Hook::Point point = schema::CdiEdits::Hook::Point::CREATE_RUNTIME;
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    uint32_t timeout_seconds = 0;
  };
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<Device> devices;
  std::vector<Mount> mounts;
  std::vector<Hook> hooks;
  std::vector<uint32_t> additional_gids;
};

struct CdiSpec {
  std::string kind;  // "vendor.com/class"
  CdiEdit edit;      // for whoever gets any device of it
  std::map<std::string, CdiEdit> devices;
};

// INVALID_ARGUMENT: malformed, or with an edit that cannot be made here (intelRdt, netDevices, a
// mount that is no bind mount): a device is given whole or not at all. Unknown keys count so too.
absl::StatusOr<CdiSpec> ParseCdiSpec(const Json& document);

}  // namespace bulkhead::worker
